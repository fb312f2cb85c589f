"""Dependencies that come as source, from repositories, or not at all for the target."""

import re
import subprocess
import sys

import pytest

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.kit import PYODIDE
from mastra_deployer.project.interpreters import probe_interpreter
from tests.deployer.bundler.lock_step import (
    ARM,
    RecordingReport,
    format_pyproject,
    get_versions,
    lock_project,
    run_uv,
    write_project,
)
from tests.deployer.bundler.package_index import C_SOURCE, sdist, wheel

pytestmark = pytest.mark.slow

MUSL = Platform(python="3.14", wheels="x86_64-unknown-linux-musl")

REPEATED = ("3.11", "3.12", "3.14")  # like 3.13


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A directory of packages, as --find-links takes it."""
    folder = tmp_path_factory.mktemp("links")
    sdist(folder, "pureone", "1.0")
    sdist(folder, "oldwheel", "2.0")
    wheel(folder, "oldwheel", "1.0")
    sdist(folder, "compiledcee", "1.0", {"compiledcee.c": C_SOURCE})
    wheel(folder, "needspure", "3.0", requires=["pureone"])
    wheel(folder, "needspure", "1.0")
    wheel(folder, "steppingdown", "2.0", "cp312-cp312-win_amd64")
    wheel(folder, "steppingdown", "2.0", "cp311-cp311-macosx_11_0_arm64")
    wheel(folder, "steppingdown", "1.5")
    wheel(folder, "needsstep", "2.0", requires=["steppingdown>=2"])
    wheel(folder, "needsstep", "1.0", requires=["steppingdown<2"])
    sdist(folder, "failing", "2.0", {"failing.c": "#error no\n"})
    wheel(folder, "failing", "1.0")
    wheel(folder, "abroadonly", "1.0", "cp312-cp312-win_amd64")
    wheel(folder, "abroadonly", "1.0", "cp311-cp311-macosx_11_0_arm64")
    wheel(folder, "betweenboth", "3.0", requires=["abroadonly"])
    return folder


def write_offline_project(root, folder, *lines):
    text = "\n".join([f"--find-links {folder}", "--no-index", *lines, ""])
    return write_project(root, {"requirements.txt": text})


def format_requirements(folder, *lines):
    return "\n".join([f"--find-links {folder}", *lines, ""])


def test_pure_source_fits_every_target_and_the_newest_version_counts(tmp_path, files):
    root = write_project(
        tmp_path, {"requirements.txt": format_requirements(files, "pureone", "oldwheel", "idna")}
    )
    closure = lock_project(root, ARM)
    found = get_versions(closure)
    assert (found["pureone"], found["oldwheel"]) == ("1.0", "2.0")
    assert "pureone-1.0-py3-none-any.whl" in closure.lock.read_text()
    other = lock_project(root, MUSL)
    assert get_versions(other) == found
    assert other.fingerprint == closure.fingerprint


def resolve_with_uv(root, *arguments):
    """Return the versions that plain uv chooses."""
    command = ["pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", "3.11"]
    run_uv(*command, *arguments, "-o", "plain.txt", "requirements.txt", cwd=root)
    lines = (root / "plain.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize(
    "lines",
    [
        ("needspure", "oldwheel"),
        ("needspure<3", "pureone"),
        ("idna<3.7", "needspure", "compiledcee"),
    ],
)
def test_versions_are_those_of_uv(tmp_path, files, lines):
    text = format_requirements(files, *lines)
    root = write_project(tmp_path, {"requirements.txt": text})
    report = RecordingReport()
    closure = lock_project(root, probe_interpreter(sys.executable).platform, report=report)
    assert get_versions(closure) == resolve_with_uv(root)
    assert not [note for note in report.notes if "has no wheel" in note]


def test_published_packages_have_the_versions_of_uv(tmp_path):
    """Both have a newest version with a dependency that is only published as source."""
    root = write_project(tmp_path, {"requirements.txt": "graphene-django\nlangdetect\n"})
    found = get_versions(lock_project(root))
    assert found == resolve_with_uv(root) and int(found["graphene-django"].split(".")[0]) >= 3


def test_an_older_version_is_reported_where_the_target_lacks_a_wheel(tmp_path, files):
    root = write_project(
        tmp_path, {"requirements.txt": format_requirements(files, "needsstep", "pureone")}
    )
    for _ in range(2):  # the second time from the kept versions
        report = RecordingReport()
        found = get_versions(lock_project(root, ARM, report=report))
        assert found == {"needsstep": "1.0", "steppingdown": "1.5", "pureone": "1.0"}
        notes = "\n".join(report.notes)
        assert "steppingdown 1.5 is used, because steppingdown 2.0 has no wheel for" in notes
        assert "pureone" not in notes


def test_an_older_version_is_reported_where_the_newest_needs_a_later_release(tmp_path, files):
    """As soupsieve 4.1 needs 3.11.5: a bundle for Python 3.11 is also served by 3.11.2."""
    wheel(files, "patched", "1.0")
    wheel(files, "patched", "2.0", python=">=3.12.5")
    root = write_project(tmp_path, {"requirements.txt": format_requirements(files, "patched")})
    report = RecordingReport()
    assert get_versions(lock_project(root, ARM, report=report)) == {"patched": "1.0"}
    (note,) = [note for note in report.notes if "patched" in note]
    assert "patched 1.0 is used, because patched 2.0 does not support Python 3.12.0" in note
    newer = Platform(python="3.13", wheels=ARM.wheels)
    report = RecordingReport()
    assert get_versions(lock_project(root, newer, report=report)) == {"patched": "2.0"}
    assert not [note for note in report.notes if "patched" in note]


def test_a_lock_is_never_altered(tmp_path, files):
    root = write_offline_project(tmp_path, files, "steppingdown==2.0")
    with pytest.raises(BuildError, match=r"steppingdown 2\.0 has no wheel for"):
        lock_project(root, ARM, locked=True)


def test_source_that_fails_is_refused_and_an_older_wheel_is_named(tmp_path, files):
    root = write_project(tmp_path, {"requirements.txt": format_requirements(files, "failing")})
    with pytest.raises(BuildError, match="'failing' is available only as source") as caught:
        lock_project(root, probe_interpreter(sys.executable).platform)
    assert "failing 1.0 has a wheel. Require failing==1.0" in caught.value.hint
    (root / "requirements.txt").write_text(format_requirements(files, "failing<2"))
    assert get_versions(lock_project(root)) == {"failing": "1.0"}


def test_pyodide_takes_pure_sources_and_older_versions(tmp_path, files):
    for version in ("2.0", "1.9"):
        wheel(tmp_path, "nowasm", version, "cp314-cp314-manylinux_2_28_x86_64")
    wheel(tmp_path, "nowasm", "1.8")
    text = format_requirements(files, f"--find-links {tmp_path}", "nowasm", "pureone")
    root, report = write_project(tmp_path / "app", {"requirements.txt": text}), RecordingReport()
    found = get_versions(lock_project(root, PYODIDE, report=report))
    assert found == {"nowasm": "1.8", "pureone": "1.0"}
    assert any("nowasm 1.8 is used, because nowasm 2.0 has no wheel" in it for it in report.notes)
    (root / "requirements.txt").write_text(text.replace("nowasm", "nowasm>1.8"))
    with pytest.raises(BuildError, match=r"no wheel for Pyodide .*: 'nowasm' 2\.0"):
        lock_project(root, PYODIDE)


def test_compiled_code_is_for_this_machine_only(tmp_path, files):
    root = write_project(tmp_path, {"requirements.txt": format_requirements(files, "compiledcee")})
    here = probe_interpreter(sys.executable).platform
    text = lock_project(root, here).lock.read_text()
    assert re.search(rf"compiledcee-1\.0-cp{here.python.replace('.', '')}-\S+\.whl", text)
    for platform in (MUSL, Platform(python=here.python, wheels="aarch64-manylinux_2_28")):
        with pytest.raises(
            BuildError, match=r"'compiledcee' is available only as source"
        ) as caught:
            lock_project(root, platform)
        assert "UV_FIND_LINKS" in caught.value.hint


def test_missing_wheel_is_reported_with_its_requirer(tmp_path, files):
    root = write_offline_project(tmp_path, files, "betweenboth")
    with pytest.raises(BuildError) as caught:
        lock_project(root, ARM)
    assert caught.value.message == (
        "abroadonly 1.0 has no wheel for Python 3.12 on aarch64-manylinux_2_28. It is required by "
        "betweenboth. There are wheels for win_amd64."
    )
    assert "UV_FIND_LINKS" in caught.value.hint


def test_source_that_does_not_build_is_reported(tmp_path):
    sdist(tmp_path, "broken", "1.0", {"broken.c": "#error no\n"})
    root = write_project(
        tmp_path / "app", {"requirements.txt": format_requirements(tmp_path, "broken")}
    )
    with pytest.raises(BuildError, match="'broken' is available only as source") as caught:
        lock_project(root)
    assert "wheel" in caught.value.hint


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A local git repository, and its first commit."""
    root = tmp_path_factory.mktemp("repository")
    table = format_pyproject(["idna==3.6"], name="gitty")
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    write_project(root, {"pyproject.toml": table + backend, "src/gitty/__init__.py": "x = 1\n"})
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "."], ["add", "."], [*identity, "commit", "-qm", "One"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    )
    return root, done.stdout.strip()


def test_commit_is_built_as_a_wheel(tmp_path, repository):
    root, commit = repository
    line = f"gitty @ git+file://{root}@{commit}\n"
    app = write_project(tmp_path, {"requirements.txt": line})
    closure = lock_project(app, ARM, locked=True)
    assert get_versions(closure) == {"gitty": "1.2", "idna": "3.6"}
    assert "none-any.whl" in closure.lock.read_text()
    source = f'[tool.uv.sources]\ngitty = {{ git = "file://{root}" }}\n'
    (app / "requirements.txt").unlink()
    (app / "pyproject.toml").write_text(format_pyproject(["gitty"], source))
    run_uv("lock", cwd=app)
    assert get_versions(lock_project(app, MUSL, locked=True)) == {"gitty": "1.2", "idna": "3.6"}


def test_unreachable_repository_names_the_cures(tmp_path):
    line = f"gitty @ git+file://{tmp_path}/nowhere@{'a' * 40}\n"
    app = write_project(tmp_path, {"requirements.txt": line})
    with pytest.raises(BuildError, match="'gitty' cannot be fetched from its repository") as caught:
        lock_project(app)
    assert "path dependency" in caught.value.hint


@pytest.mark.parametrize(
    "python", ["3.13", *(pytest.param(each, marks=pytest.mark.full) for each in REPEATED)]
)
def test_every_linux_platform_resolves(tmp_path, python):
    lines = "pydantic-ai-slim[openai]\nlitestar\n"
    root = write_project(tmp_path, {"requirements.txt": lines})
    for wheels in (
        "x86_64-manylinux_2_28",
        "aarch64-unknown-linux-musl",
    ):
        found = get_versions(lock_project(root, Platform(python=python, wheels=wheels)))
        assert {"openai", "pydantic-core", "tiktoken", "litestar"} <= found.keys()


def test_compiled_code_is_rejected_before_compiling(tmp_path):
    root = write_project(tmp_path, {"requirements.txt": "uvloop\n"})
    with pytest.raises(BuildError, match=r"uvloop \S+ has no wheel for Python 3\.11 on") as caught:
        lock_project(root, Platform(python="3.11", wheels="x86_64-pc-windows-msvc"))
    assert "There are wheels for macosx" in caught.value.message
