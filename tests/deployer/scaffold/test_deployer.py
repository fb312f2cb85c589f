"""`mastra new deployer`: a package that passes the conformance suite as it is generated."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.deployer.scaffold.test_ci import lint_workflow

# The longest possible name, the shortest, and one of two words.
NAMES = ("a-name-of-twenty-four-ab", "x", "fly-io")


@pytest.fixture(scope="module")
def package(tmp_path_factory, mastra):
    """A generated package."""
    root = tmp_path_factory.mktemp("author")
    mastra("new", "deployer", "fly-io", cwd=root).ok()
    return root / "mastra-deployer-fly-io"


def run(*command, cwd, **environment):
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def find_tool(name):
    return str(Path(sys.executable).with_name(name))


@pytest.mark.slow
def test_the_generated_package_installs_and_passes_its_own_tests(package, tmp_path, mastra):
    site = tmp_path / "site"
    install = ("pip", "install", "--quiet", "--no-deps", "--target", str(site), str(package))
    run(find_uv_bin(), *install, cwd=tmp_path)
    output = mastra("targets", cwd=tmp_path, PYTHONPATH=str(site)).ok().out
    assert "fly-io Fly Io's machines, which run `python index.py`" in " ".join(output.split())
    targets = mastra("targets", "--json", cwd=tmp_path, PYTHONPATH=str(site)).ok().json
    (verbs,) = (each["verbs"] for each in targets["installed"] if each["name"] == "fly-io")
    assert ", ".join(verbs) == (
        "deploy, plan, deployments, promote, rollback, canary, logs, env, doctor, destroy, preview"
    )
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:langsmith_plugin",
    )
    output = run(*command, cwd=package, PYTHONPATH=str(site))
    assert int(output.split(" passed")[0].split()[-1]) > 60, output


@pytest.mark.parametrize("name", NAMES)
def test_ruff_accepts_the_package(tmp_path, mastra, name):
    mastra("new", "deployer", name, cwd=tmp_path).ok()
    root = tmp_path / f"mastra-deployer-{name}"
    run(find_tool("ruff"), "check", "--no-cache", cwd=root)
    run(find_tool("ruff"), "format", "--check", "--no-cache", cwd=root)


@pytest.mark.slow
def test_mypy_accepts_the_package(package, tmp_path):
    run(find_tool("mypy"), "--cache-dir", str(tmp_path), cwd=package)


def test_the_workflow_passes_every_linter(package):
    path = package / ".github/workflows/package.yml"
    lint_workflow(path)
    assert "id-token: write" in path.read_text()
    assert "password" not in path.read_text()


def test_the_package_depends_on_compatible_ranges(package):
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "mastra-deployer-fly-io"
    assert project["dependencies"] == ["mastra-core>=0.1,<0.2", "mastra-deployer>=0.1,<0.2"]
    entry_points = project["entry-points"]["mastra.deployers"]
    assert entry_points == {"fly-io": "mastra_deployer_fly_io.hooks"}


def test_the_name_may_be_a_path_with_the_prefix(tmp_path, mastra):
    answer = mastra("new", "deployer", "made/mastra-deployer-x", "--json", cwd=tmp_path).ok().json
    assert answer["package"] == str(tmp_path / "made/mastra-deployer-x")
    assert (tmp_path / "made/mastra-deployer-x/src/mastra_deployer_x/py.typed").is_file()


def test_invalid_names_and_directories_are_rejected_with_a_hint(tmp_path, mastra):
    for name in ("Fly", "fly_io", "server", "-", "x" * 25, "4fly"):
        mastra("new", "deployer", "--", name, cwd=tmp_path).failed(2, f"{name!r}", "fly-io")
    (tmp_path / "mastra-deployer-fly").mkdir()
    (tmp_path / "mastra-deployer-fly/mine").touch()
    mastra("new", "deployer", "fly", cwd=tmp_path).failed(2, "is not empty")
    mastra("new", "deploier", "fly", cwd=tmp_path).failed(2, "'deploier'", "'deployer'")
    mastra("new", cwd=tmp_path).failed(2, "APP")
