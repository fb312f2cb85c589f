"""Versions with a wheel for Pyodide, and requirements that Pyodide does not need."""

import dataclasses
import hashlib
import re

import pytest

from mastra_core.errors import ApiError, BuildError
from mastra_deployer.bundler.resolve.annotations import PROJECT, parse_annotations
from mastra_deployer.bundler.resolve.index_pages import read_wheel_versions
from mastra_deployer.bundler.resolve.unneeded_requirements import (
    find_imported_unneeded,
    find_unneeded_requirements,
)
from mastra_deployer.kit import MANYLINUX_X86_64, PYODIDE
from tests import node
from tests.deployer.bundler.lock_step import (
    RecordingReport,
    format_pyproject,
    get_versions,
    lock_project,
    run_uv,
    write_project,
)
from tests.deployer.bundler.pyodide_index import read_lock, serve_packages

WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
LINUX = "cp314-cp314-manylinux_2_28_x86_64"


@pytest.fixture(scope="module")
def pyodide():
    """A platform with Pyodide's own index, and the paths that were requested there."""
    home = node.install_packages("pyodide@314.0.7")
    with serve_packages(read_lock(home / "node_modules/pyodide/pyodide-lock.json")) as (url, paths):
        yield dataclasses.replace(PYODIDE, index=url), paths


def offer(name, version, tag=LINUX, depends=()):
    """Return a package of a loopback index."""
    file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return {
        "name": name,
        "version": version,
        "file_name": file,
        "sha256": hashlib.sha256(file.encode()).hexdigest(),
        "depends": [*depends],
    }


@pytest.fixture(scope="module")
def own_index():
    """A project's index: older versions have other wheels and requirements."""
    packages = [
        *(offer("nowasm", version) for version in ("2.0", "1.9", "1.7", "1.6")),
        offer("nowasm", "1.8", WASM),
        offer("nowasm", "0.9", "py3-none-any"),
        *(offer("native", version) for version in ("3.0", "2.0")),
        offer("needing", "1.1", "py3-none-any", ["native"]),
        offer("needing", "1.0", "py3-none-any"),
        offer("breaking", "2.0", "py3-none-any", ["native"]),
        offer("breaking", "1.0", "py3-none-any"),
        offer("pydantic-ai-slim", "1.0", "py3-none-any", ["tiktoken", "leaf"]),
        offer("tiktoken", "1.0", LINUX, ["regex"]),
        offer("regex", "1.0", LINUX),
        offer("leaf", "1.0", "py3-none-any"),
        offer("counting", "1.0", "py3-none-any", ["tiktoken"]),
        offer("signing", "1.0", "py3-none-any", ["cryptography"]),
        offer("cryptography", "50.0.2", LINUX, ["cffi"]),
        offer("cffi", "2.1.1", LINUX, ["pycparser"]),
        *(offer(name, "9.0", "py3-none-any") for name in ("pycparser", "six", "idna")),
    ]
    with serve_packages(packages) as (url, paths):
        yield url, paths


def write_app(tmp_path, index, *lines):
    text = "\n".join([f"--index-url {index}", *lines, ""])
    return write_project(tmp_path / "app", {"requirements.txt": text})


@pytest.mark.slow
def test_a_package_comes_from_the_index_of_the_platform(tmp_path, pyodide, own_index):
    (platform, paths), (index, _) = pyodide, own_index
    root, report = write_app(tmp_path, index, "signing", "idna"), RecordingReport()
    closure = lock_project(root, platform, report=report)
    found, text = get_versions(closure), closure.lock.read_text()
    assert (found["cryptography"], found["cffi"], found["idna"]) == ("47.0.0", "2.0.0", "9.0")
    assert re.search(r"cryptography-47\.0\.0-0\S+pyemscripten\S+\.whl", text)
    locked = text.partition('name = "cryptography"')[2].partition("[[packages]]")[0]
    assert re.search(r'sha256 = "[0-9a-f]{64}"', locked)
    note = "cryptography 47.0.0 is used, because cryptography 50.0.2 has no wheel"
    assert any(note in item for item in report.notes)
    # Only packages without a wheel elsewhere come from there.
    assert {path for path in paths if path.startswith("/simple/")} == {
        "/simple/cffi/",
        "/simple/cryptography/",
    }
    with pytest.raises(BuildError, match=r"'cryptography' 50\.0\.2 \(required by signing\)"):
        lock_project(root, PYODIDE)


@pytest.mark.slow
def test_the_newest_version_with_a_wheel_is_chosen_in_few_resolutions(tmp_path, own_index):
    index, paths = own_index
    root, report = write_app(tmp_path, index, "nowasm"), RecordingReport()
    before = len(paths)
    assert get_versions(lock_project(root, PYODIDE, report=report)) == {"nowasm": "1.8"}
    assert any("nowasm 1.8 is used, because nowasm 2.0 has no wheel" in it for it in report.notes)
    metadata = {path for path in paths[before:] if path.endswith(".metadata")}
    assert not [path for path in metadata if "1.9" in path or "1.7" in path]


@pytest.mark.slow
def test_the_newer_of_two_indexes_is_chosen(tmp_path, own_index):
    index, _ = own_index
    root = write_app(tmp_path, index, "nowasm")
    for version, chosen in (("1.8.1", "1.8.1"), ("1.5", "1.8")):
        with serve_packages([offer("nowasm", version, WASM)]) as (url, _):
            platform = dataclasses.replace(PYODIDE, index=url)
            assert get_versions(lock_project(root, platform)) == {"nowasm": chosen}


@pytest.mark.slow
def test_a_requirer_steps_down_to_a_compatible_version_only(tmp_path, own_index):
    index, _ = own_index
    root, report = write_app(tmp_path, index, "needing"), RecordingReport()
    assert get_versions(lock_project(root, PYODIDE, report=report)) == {"needing": "1.0"}
    assert any("needing 1.0 is used, because needing 1.1 requires" in it for it in report.notes)
    root = write_app(tmp_path / "breaking", index, "breaking")
    with pytest.raises(BuildError, match=r"'native' 3\.0 \(required by breaking\)") as caught:
        lock_project(root, PYODIDE)
    assert "require breaking==1.0" in caught.value.hint
    root = write_app(tmp_path / "old", index, "breaking==1.0")
    assert get_versions(lock_project(root, PYODIDE)) == {"breaking": "1.0"}


@pytest.mark.slow
def test_an_unneeded_requirement_is_left_out(tmp_path, own_index):
    index, _ = own_index
    root = write_app(tmp_path / "one", index, "pydantic-ai-slim")
    assert get_versions(lock_project(root, PYODIDE)) == {"pydantic-ai-slim": "1.0", "leaf": "1.0"}
    for line in ("tiktoken", "counting"):  # something else needs it
        root = write_app(tmp_path / line, index, "pydantic-ai-slim", line)
        with pytest.raises(BuildError, match=r"'tiktoken' 1\.0"):
            lock_project(root, PYODIDE)


@pytest.mark.slow
def test_a_lock_is_never_altered_but_unneeded_packages_are_left_out(tmp_path, own_index):
    index, _ = own_index
    source = f'[[tool.uv.index]]\nurl = "{index}"\ndefault = true\n'
    for number, dependencies in enumerate((["pydantic-ai-slim"], ["nowasm"])):
        table = format_pyproject(dependencies, source)
        root = write_project(tmp_path / str(number), {"pyproject.toml": table})
        run_uv("lock", cwd=root)
        before = (root / "uv.lock").read_bytes()
        if number == 0:
            found = get_versions(lock_project(root, PYODIDE, locked=True))
            assert found == {"pydantic-ai-slim": "1.0", "leaf": "1.0"}
        else:
            with pytest.raises(BuildError, match=r"'nowasm' 2\.0"):
                lock_project(root, PYODIDE, locked=True)
        assert (root / "uv.lock").read_bytes() == before


def test_an_import_of_the_app_needs_the_package():
    modules = ("shop", "pydantic_ai.realtime.openai_live", "orjson.x")
    assert find_imported_unneeded(modules, PYODIDE) == {"tiktoken", "orjson"}
    assert not find_imported_unneeded(modules, MANYLINUX_X86_64)


def test_what_only_removed_packages_require_is_removed():
    requirers = {
        "fastapi": frozenset((PROJECT,)),
        "fastapi-cli": frozenset(("fastapi",)),
        "fastapi-cloud-cli": frozenset(("fastapi-cli",)),
        "fastar": frozenset(("fastapi", "fastapi-cloud-cli")),
        "httptools": frozenset(("uvicorn", "other")),
    }
    found = find_unneeded_requirements(requirers, frozenset(), PYODIDE)
    assert found == ["fastapi-cli", "fastapi-cloud-cli", "fastar"]
    found = find_unneeded_requirements(requirers, frozenset(("fastar",)), PYODIDE)
    assert found == ["fastapi-cli", "fastapi-cloud-cli"]
    assert find_unneeded_requirements(requirers, frozenset(), MANYLINUX_X86_64) == []


def test_annotations_are_read():
    text = (
        "a-b==1.0  # via -r x.in, c[d]\n    # from https://one.example/simple\n"
        "c==2 ; sys_platform == 'linux'    # via a_b\n"
        "d @ file:///x  # via app (pyproject.toml)\n"
        "e==1  # via --override o.txt, c\n    # from https://two.example/simple\n"
    )
    found = parse_annotations(text.replace("c[d]", "c"))
    assert found["a-b"] == ({PROJECT, "c"}, "https://one.example/simple")
    assert found["c"] == ({"a-b"}, "")
    assert found["d"] == ({PROJECT}, "")
    assert found["e"] == ({"c"}, "https://two.example/simple")


def test_a_page_of_an_index_is_read(own_index):
    index, _ = own_index
    versions = read_wheel_versions(f"{index}/", "nowasm")
    assert {str(version) for version in versions} == {"2.0", "1.9", "1.8", "1.7", "1.6", "0.9"}
    assert read_wheel_versions(index, "unknown") == {}
    with pytest.raises(ApiError):
        read_wheel_versions(index, "refused")
