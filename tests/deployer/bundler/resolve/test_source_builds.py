"""Dependencies that come as source, from repositories, or not at all for the target."""

import re
import subprocess
import sys

import pytest

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.project.interpreters import probe
from tests.deployer.bundler.lock_step import ARM, lock, packages, project_table, uv, write
from tests.deployer.bundler.package_index import C_SOURCE, sdist, wheel

pytestmark = pytest.mark.slow

MUSL = Platform(python="3.14", wheels="x86_64-unknown-linux-musl")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A directory of packages, as --find-links takes it."""
    folder = tmp_path_factory.mktemp("links")
    sdist(folder, "pureone", "1.0")
    sdist(folder, "oldwheel", "2.0")
    wheel(folder, "oldwheel", "1.0")
    sdist(folder, "compiledcee", "1.0", {"compiledcee.c": C_SOURCE})
    wheel(folder, "abroadonly", "1.0", "cp312-cp312-win_amd64")
    wheel(folder, "abroadonly", "1.0", "cp311-cp311-macosx_11_0_arm64")
    wheel(folder, "betweenboth", "3.0", requires=["abroadonly"])
    return folder


def asking(root, folder, *lines):
    text = "\n".join([f"--find-links {folder}", "--no-index", *lines, ""])
    return write(root, {"requirements.txt": text})


def text_for(folder, *lines):
    return "\n".join([f"--find-links {folder}", *lines, ""])


def test_a_pure_source_serves_every_target_and_wheels_come_first(tmp_path, files):
    root = write(tmp_path, {"requirements.txt": text_for(files, "pureone", "oldwheel", "idna")})
    closure = lock(root, ARM)
    found = packages(closure)
    assert (found["pureone"], found["oldwheel"]) == ("1.0", "1.0")
    assert "pureone-1.0-py3-none-any.whl" in closure.lock.read_text()
    other = lock(root, MUSL)
    assert packages(other) == found
    assert other.fingerprint == closure.fingerprint


def test_compiled_code_is_for_this_machine_only(tmp_path, files):
    root = write(tmp_path, {"requirements.txt": text_for(files, "compiledcee")})
    here = probe(sys.executable).platform
    text = lock(root, here).lock.read_text()
    assert re.search(rf"compiledcee-1\.0-cp{here.python.replace('.', '')}-\S+\.whl", text)
    for platform in (MUSL, Platform(python=here.python, wheels="aarch64-manylinux_2_28")):
        with pytest.raises(
            BuildError, match=r"'compiledcee' is available as source only"
        ) as caught:
            lock(root, platform)
        assert "UV_FIND_LINKS" in caught.value.hint


def test_what_has_no_wheel_is_named_with_who_wants_it(tmp_path, files):
    root = asking(tmp_path, files, "betweenboth")
    with pytest.raises(BuildError) as caught:
        lock(root, ARM)
    assert caught.value.message == (
        "abroadonly 1.0 has no wheel for Python 3.12 on aarch64-manylinux_2_28, and betweenboth requires "
        "it; there are wheels for win_amd64."
    )
    assert "UV_FIND_LINKS" in caught.value.hint


def test_a_source_that_does_not_build_is_named(tmp_path):
    sdist(tmp_path, "broken", "1.0", {"broken.c": "#error no\n"})
    root = write(tmp_path / "app", {"requirements.txt": text_for(tmp_path, "broken")})
    with pytest.raises(BuildError, match="'broken' is available as source only") as caught:
        lock(root)
    assert "wheel" in caught.value.hint


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository on this machine, and its first commit."""
    root = tmp_path_factory.mktemp("repository")
    table = project_table(["idna==3.6"], name="gitty")
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    write(root, {"pyproject.toml": table + backend, "src/gitty/__init__.py": "x = 1\n"})
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "."], ["add", "."], [*identity, "commit", "-qm", "One"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    )
    return root, done.stdout.strip()


def test_a_commit_ships_as_a_wheel_of_exactly_it(tmp_path, repository):
    root, commit = repository
    line = f"gitty @ git+file://{root}@{commit}\n"
    app = write(tmp_path, {"requirements.txt": line})
    closure = lock(app, ARM, locked=True)
    assert packages(closure) == {"gitty": "1.2", "idna": "3.6"}
    assert "none-any.whl" in closure.lock.read_text()
    source = f'[tool.uv.sources]\ngitty = {{ git = "file://{root}" }}\n'
    (app / "requirements.txt").unlink()
    (app / "pyproject.toml").write_text(project_table(["gitty"], source))
    uv("lock", cwd=app)
    assert packages(lock(app, MUSL, locked=True)) == {"gitty": "1.2", "idna": "3.6"}


def test_a_repository_out_of_reach_is_refused_with_the_ways_out(tmp_path):
    line = f"gitty @ git+file://{tmp_path}/nowhere@{'a' * 40}\n"
    app = write(tmp_path, {"requirements.txt": line})
    with pytest.raises(BuildError, match="'gitty' comes from version control") as caught:
        lock(app)
    assert "path dependency" in caught.value.hint


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_linux_of_every_kind_from_here(tmp_path, python):
    lines = "pydantic-ai-slim[openai]\nlitestar\n"
    root = write(tmp_path, {"requirements.txt": lines})
    for wheels in (
        "x86_64-manylinux_2_28",
        "aarch64-unknown-linux-musl",
    ):
        found = packages(lock(root, Platform(python=python, wheels=wheels)))
        assert {"openai", "pydantic-core", "tiktoken", "litestar"} <= found.keys()


def test_compiled_code_is_refused_before_it_is_compiled(tmp_path):
    root = write(tmp_path, {"requirements.txt": "uvloop\n"})
    with pytest.raises(BuildError, match=r"uvloop \S+ has no wheel for Python 3\.11 on") as caught:
        lock(root, Platform(python="3.11", wheels="x86_64-pc-windows-msvc"))
    assert "the project requires it; there are wheels for macosx" in caught.value.message
