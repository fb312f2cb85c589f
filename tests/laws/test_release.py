"""The packages can be released together, and the files for GitHub are valid."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
REPOSITORY = "https://github.com/mastra-python/mastra-python"
PROJECTS = {path.parent.name: path for path in sorted(ROOT.glob("packages/*/pyproject.toml"))}
EXAMPLE = ROOT / "examples/mastra-deployer-acme/pyproject.toml"


def load_script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_release = load_script(GITHUB / "check_release.py")


def read_project(path):
    return tomllib.loads(path.read_text("utf-8"))["project"]


def read_version():
    return read_project(PROJECTS["core"])["version"]


def internal_requirements(project):
    """Return the requirements of a project on our own packages."""
    names = {read_project(path)["name"] for path in PROJECTS.values()}
    found = map(Requirement, project["dependencies"])
    return [requirement for requirement in found if canonicalize_name(requirement.name) in names]


def run_tool(name, *arguments):
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read_workflow(name):
    return yaml.safe_load((GITHUB / f"workflows/{name}.yml").read_text("utf-8"))


def test_versions_agree():
    versions = {path: read_project(path)["version"] for path in [*PROJECTS.values(), EXAMPLE]}
    assert len(versions) == 8
    assert set(versions.values()) == {read_version()}


@pytest.mark.parametrize("path", [*PROJECTS.values(), EXAMPLE], ids=lambda path: path.parent.name)
def test_ranges_between_packages_contain_the_version(path):
    for requirement in internal_requirements(read_project(path)):
        assert len(requirement.specifier) == 2, f"{requirement} has no lower or no upper bound"
        assert read_version() in requirement.specifier, str(requirement)


@pytest.mark.parametrize("name", PROJECTS)
def test_urls_lead_to_the_repository(name):
    urls = read_project(PROJECTS[name])["urls"]
    assert set(urls) == {"Documentation", "Source", "Issues", "Changelog"}
    assert urls["Source"] == f"{REPOSITORY}/tree/main/packages/{name}"
    assert urls["Issues"] == f"{REPOSITORY}/issues"
    assert urls["Changelog"] == f"{REPOSITORY}/blob/main/packages/{name}/CHANGELOG.md"


LINKING = [
    *sorted(ROOT.glob("packages/*/*.md")),
    *PROJECTS.values(),
    ROOT / "SECURITY.md",
    *sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")),
]


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_into_the_repository_exist(path):
    text = path.read_text("utf-8")
    linked = re.findall(rf"{REPOSITORY}/(?:blob|tree)/main/([^)\s\"#]+)", text)
    assert [name for name in linked if not (ROOT / name).exists()] == []
    if path.name == "README.md":
        assert "](../" not in text, "an index shows the README without the repository"


@pytest.mark.parametrize("name", PROJECTS)
def test_the_changelog_has_a_section_for_the_version(name):
    changelog = PROJECTS[name].with_name("CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    for section in sections:
        assert re.fullmatch(r"\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)", section), section
    assert sections[0].partition(" ")[0] == read_version()
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", changelog, re.MULTILINE)) <= kinds


@pytest.fixture
def released(tmp_path):
    """A copy of the projects, dated as for a release."""
    for path in [*PROJECTS.values(), EXAMPLE]:
        place = tmp_path / path.parent.relative_to(ROOT)
        place.mkdir(parents=True)
        shutil.copy(path, place)
    for name, path in PROJECTS.items():
        changelog = path.with_name("CHANGELOG.md").read_text("utf-8")
        dated = re.sub(r"\((unreleased|\d{4}-\d\d-\d\d)\)", "(2026-03-31)", changelog)
        (tmp_path / "packages" / name / "CHANGELOG.md").write_text(dated)
    return tmp_path


def test_a_tag_that_names_every_version_has_no_problems(released):
    assert check_release.find_problems(released, f"v{read_version()}") == []


@pytest.mark.parametrize("tag", ["v9.9.9", "0.1.0", "v0.1", "v0.1.0rc1", ""])
def test_a_tag_that_differs_is_refused(released, tag):
    problems = check_release.find_problems(released, tag)
    assert len(problems) == 8
    assert all(problem.endswith(f"and the tag is {tag!r}.") for problem in problems)


def test_one_package_with_another_version_is_named(released):
    path = released / "packages/server/pyproject.toml"
    path.write_text(path.read_text().replace(f'version = "{read_version()}"', 'version = "9.9.9"'))
    problems = check_release.find_problems(released, f"v{read_version()}")
    assert problems == [
        f"packages/server/pyproject.toml has version '9.9.9', and the tag is 'v{read_version()}'.",
        "packages/server/CHANGELOG.md has no section '## 9.9.9 (YYYY-MM-DD)'.",
    ]


def test_an_undated_changelog_is_refused(released):
    path = released / "packages/core/CHANGELOG.md"
    path.write_text(path.read_text().replace("(2026-03-31)", "(unreleased)"))
    (problem,) = check_release.find_problems(released, f"v{read_version()}")
    assert problem.startswith("packages/core/CHANGELOG.md has no section")


def test_a_directory_without_packages_is_refused(tmp_path):
    assert len(check_release.find_problems(tmp_path, "v0.1.0")) == 1


def test_the_script_exits_with_an_error_for_a_wrong_tag():
    def run(*arguments):
        command = [sys.executable, str(GITHUB / "check_release.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run("v9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    assert "packages/core/pyproject.toml" in done.stderr
    assert run().returncode == 2


SCHEMAS = {
    "vendor.github-workflows": "workflows/*.yml",
    "vendor.dependabot": "dependabot.yml",
    "vendor.github-issue-config": "ISSUE_TEMPLATE/config.yml",
    "vendor.github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_github_fit_their_schema(schema):
    paths = sorted(GITHUB.glob(SCHEMAS[schema]))
    assert paths
    done = run_tool("check-jsonschema", "--builtin-schema", schema, *paths)
    assert done.returncode == 0, done.stdout


def test_workflows_pass_the_security_linter():
    paths = [*sorted(GITHUB.glob("workflows/*.yml")), GITHUB / "dependabot.yml"]
    done = run_tool("zizmor", "--offline", "--persona", "auditor", "--no-config", *paths)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_release_publishes_each_package_after_those_it_requires():
    order = read_workflow("release")["jobs"]["publish"]["strategy"]
    assert order["max-parallel"] == 1
    published = [canonicalize_name(name) for name in order["matrix"]["project"]]
    projects = {read_project(path)["name"]: read_project(path) for path in PROJECTS.values()}
    assert sorted(published) == sorted(projects)
    for position, name in enumerate(published):
        for requirement in internal_requirements(projects[name]):
            assert requirement.name in published[:position], f"{name} needs {requirement.name}"


def test_only_the_publishing_job_gets_an_identity_token():
    for path in sorted(GITHUB.glob("workflows/*.yml")):
        workflow = read_workflow(path.stem)
        assert workflow["permissions"] == {}
        for name, job in workflow["jobs"].items():
            publishes = (path.stem, name) == ("release", "publish")
            wanted = {"id-token": "write"} if publishes else {"contents": "read"}
            assert job["permissions"] == wanted, f"{path.name}: {name}"
    publish = read_workflow("release")["jobs"]["publish"]
    assert publish["environment"] == {"name": "pypi"}
    assert not any("checkout" in step.get("uses", "") for step in publish["steps"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "core" else pytest.mark.full) for name in PROJECTS],
)
def test_a_wheel_is_the_same_from_a_checkout_a_copy_and_an_sdist(name, tmp_path):
    """The copy has no git: neither tags nor history may change a byte."""
    copy = tmp_path / "copy"
    skipped = shutil.ignore_patterns("dist", "__pycache__", ".venv")
    shutil.copytree(PROJECTS[name].parent, copy, ignore=skipped)
    for source, out, *flags in (
        (PROJECTS[name].parent, "checkout", "--wheel"),
        (copy, "copy", "--wheel"),
        (copy, "sdist"),  # the sdist, and the wheel that is built from it
    ):
        done = run_tool("uv", "build", "--quiet", "--out-dir", tmp_path / out, *flags, source)
        assert done.returncode == 0, done.stderr
    contents = {path.read_bytes() for path in tmp_path.glob("*/*.whl")}
    assert len(list(tmp_path.glob("*/*.whl"))) == 3
    assert len(contents) == 1
