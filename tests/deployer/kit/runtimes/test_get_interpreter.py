"""Where the interpreter of a bundle comes from, and what is refused."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from mastra_core.errors import BundleError, ConfigError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import get_interpreter
from tests.deployer.kit.runtimes.interpreter_trees import (
    EXECUTABLE,
    LIBRARY,
    MACHINE,
    VERSION,
    write_tree,
)
from tests.oci.registries import find_program
from tests.scripted_server import serve

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the executable of this machine is for Linux"
)
OTHER = "3.14" if VERSION != "3.14" else "3.13"  # a version that this machine seems to lack
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
ARCHIVE = f"/20261110/cpython-{OTHER}.1-{MACHINE}-unknown-linux-gnu-install_only.tar.gz"
AARCH64, X86_64 = (183).to_bytes(2, "little"), (62).to_bytes(2, "little")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "interpreters"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("tree") / "python")


def get(source, version=VERSION, machine=MACHINE):
    return get_interpreter(version, machine, SilentReport(), source=str(source))


@pytest.mark.parametrize("form", ["directory", "tar", "tar.zst"])
def test_the_setting_accepts_directories_and_archives(tree, tmp_path, cache, form):
    source = tree.parent
    if form != "directory":
        source = tmp_path / "python.tar"
        with tarfile.open(source, "w") as archive:
            archive.add(tree, "python/install")
    if form == "tar.zst":
        subprocess.run([find_program("zstd"), "-q1", source], check=True)
        source = tmp_path / "python.tar.zst"
    python = get(source)
    assert (python.version, python.machine, python.libc) == (VERSION, MACHINE, "glibc")
    assert (python.library / "os.py").is_file() and python.platlibdir == "lib"
    assert python.path.read_bytes() == EXECUTABLE.read_bytes()
    if form != "directory":
        assert python.path.is_relative_to(cache)
        assert get(source) == python, "it was unpacked again"
        assert len(list(cache.iterdir())) == 1


def test_a_damaged_archive_is_refused_even_if_it_ends_between_two_files(tree, tmp_path):
    source = tmp_path / "python.tar"
    with tarfile.open(source, "w") as archive:
        archive.add(tree, "python/install")
        end = archive.offset
    source.write_bytes(source.read_bytes()[:end])
    subprocess.run([find_program("zstd"), "-q1", source], check=True)
    damaged = tmp_path / "python.tar.zst"
    damaged.write_bytes(damaged.read_bytes() + b"damaged")
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        get(damaged)


def test_an_environment_leads_to_the_python_that_it_was_made_with():
    python = get(sys.prefix)
    assert python.path == EXECUTABLE and (python.library / "os.py").is_file()


def replace_machine(content):
    return content[:18] + (AARCH64 if content[18:20] == X86_64 else X86_64) + content[20:]


def replace_loader(content):
    start = content.index(b"/lib64/ld-linux-" if MACHINE == "x86_64" else b"/lib/ld-linux-")
    end = content.index(b"\0", start)
    return content[:start] + b"/lib/ld-musl-x.so.1".ljust(end - start, b"\0") + content[end:]


@pytest.mark.parametrize(
    ("change", "message", "cure"),
    [
        (replace_machine, f"but the bundle is for {MACHINE}", f"for {MACHINE}"),
        (replace_loader, "is built for musl", "glibc"),
        (lambda _: b"#!/bin/sh\n", "is not a Python for Linux", f"Linux on {MACHINE}"),
        (lambda content: content[:300], "is not a Python for Linux", f"Linux on {MACHINE}"),
        (lambda _: b"", "is not a Python for Linux", f"Linux on {MACHINE}"),
    ],
    ids=["machine", "musl", "script", "cut", "empty"],
)
def test_an_interpreter_that_cannot_run_there_is_refused(tmp_path, change, message, cure):
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / f"bin/python{VERSION}").write_bytes(change(EXECUTABLE.read_bytes()))
    with pytest.raises(ConfigError, match=message) as raised:
        get(tree)
    assert repr(str(tree)) in raised.value.message and cure in raised.value.hint


def test_an_interpreter_of_another_version_is_refused(tree):
    with pytest.raises(ConfigError, match=f"is Python {VERSION}, but .* Python 3.99") as raised:
        get(tree, "3.99")
    assert f"--python {VERSION}" in raised.value.hint


def test_a_directory_without_an_interpreter_or_its_library_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=f"bin/python{VERSION} was not found"):
        get(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / f"bin/python{VERSION}").write_bytes(EXECUTABLE.read_bytes())
    with pytest.raises(ConfigError, match="no standard library"):
        get(tmp_path)


@pytest.mark.parametrize("content", [None, b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_an_archive_that_cannot_be_read_is_refused(tmp_path, cache, content):
    source = tmp_path / "x.tar.gz"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.tar\.gz"):
        get(source)
    assert not cache.exists() or not list(cache.iterdir())


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An archive as python-build-standalone publishes it, of a version that is not installed."""
    directory = tmp_path_factory.mktemp("published")
    tree = write_tree(directory / "python", version=OTHER)
    # uv corrects the paths in it. Debian has another one, which has no platform in its name.
    (description,) = LIBRARY.glob(f"_sysconfigdata_*_{sys.platform}_*.py")
    shutil.copy(description, tree / f"lib/python{OTHER}")
    with tarfile.open(directory / "python.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(tree, "python")
    return (directory / "python.tar.gz").read_bytes()


@pytest.fixture
def mirror(monkeypatch, tmp_path, published):
    """A mirror for uv, on a machine that seems to have no Python but the running one."""
    described = {
        "name": "cpython",
        "arch": {"family": MACHINE, "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": 3,
        "minor": int(OTHER[2:]),
        "patch": 1,
        "prerelease": "",
        "url": RELEASES + ARCHIVE,
        "sha256": hashlib.sha256(published).hexdigest(),
        "variant": None,
        "build": "20261110",
    }
    downloads = tmp_path / "downloads.json"
    downloads.write_text(json.dumps({f"cpython-{OTHER}.1-linux-{MACHINE}-gnu": described}))
    for name in ("PATH", "PYENV_ROOT", "XDG_DATA_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(downloads))
    with serve(lambda _: (200, {}, server.content)) as server:
        server.content = published
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{server.url}/mirror")
        yield server


def test_uv_downloads_an_interpreter_once(mirror, cache):
    steps = []
    report = SilentReport()
    report.step = steps.append
    first, second = (get_interpreter(OTHER, MACHINE, report) for _ in range(2))
    assert first == second and first.path.is_relative_to(cache)
    assert (first.version, first.machine, first.libc) == (OTHER, MACHINE, "glibc")
    assert [seen[:2] for seen in mirror.seen] == [("GET", f"/mirror{ARCHIVE}")]
    assert steps == [f"Downloading Python {OTHER} for Linux on {MACHINE} with uv"]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("content", "its checksum is not the published checksum"),
        ("network", "Connection refused"),
        ("offline", "[Nn]etwork connectivity is disabled"),
        ("setting", "downloads are not allowed"),
    ],
)
def test_what_uv_cannot_download_is_an_error_with_the_other_ways(
    mirror, cache, monkeypatch, fault, cause
):
    mirror.content += b"x"
    if fault == "network":
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://127.0.0.1:9")
    elif fault == "offline":
        monkeypatch.setenv("UV_OFFLINE", "1")
    elif fault == "setting":
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(BundleError, match=f"Python {OTHER} for Linux on {MACHINE}") as raised:
        get_interpreter(OTHER, MACHINE, SilentReport())
    assert re.search(cause, raised.value.message), raised.value.message
    assert "\n" not in raised.value.message
    for way in ("Install it", "uv can download", "interpreter=PATH"):
        assert way in raised.value.hint
    assert not list(cache.rglob("python3*"))
