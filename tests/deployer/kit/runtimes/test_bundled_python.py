"""An interpreter that a bundle carries with its shared libraries: read, compiled, and run."""

import io
import json
import shutil
import subprocess
import sys
import tarfile

import pytest

from mastra_core.errors import BundleError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import (
    ArchiveEntry,
    compute_interpreter_key,
    get_interpreter,
    iter_python_entries,
    iter_shared_libraries,
    list_extension_modules,
    strip_entries,
    write_tar,
)
from mastra_deployer.kit.runtimes import library_search, python_entries
from mastra_deployer.kit.runtimes.elf_file import read_elf_file
from mastra_deployer.kit.runtimes.python_entries import iter_standard_library
from tests.deployer.kit.runtimes.interpreter_trees import (
    EXECUTABLE,
    MACHINE,
    VERSION,
    write_tree,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="interpreters are carried to Linux")
SCRIPT = """
import json, sqlite3, ssl, sys
libraries = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print(json.dumps([sys.prefix, sys.path, sorted(libraries)]))
"""


def write_archive(tree, temporary):
    """Write a tar of an interpreter and its libraries, as a deployer does."""
    temporary.mkdir()
    archive = io.BytesIO()
    python = get_interpreter(VERSION, MACHINE, SilentReport(), source=str(tree))
    libraries = list(iter_shared_libraries(python.path, list_extension_modules(python)))
    entries = [*iter_python_entries(python, "python", temporary), *libraries]
    write_tar(strip_entries(entries), archive.write)
    return archive.getvalue(), [item.path for item in libraries]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive of an interpreter that cannot be executed where it is."""
    directory = tmp_path_factory.mktemp("archive")
    return write_archive(write_tree(directory / "tree"), directory / "temporary")


def test_the_interpreter_runs_with_its_own_libraries_only(archive, tmp_path):
    """The loader of the archive needs nothing of the system but the kernel."""
    content, libraries = archive
    root = tmp_path.resolve()
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        opened.extractall(root, filter="tar")
    loader = next(root / path for path in libraries if "ld-linux" in path)
    directory = next(root / path for path in libraries if path.endswith("/libc.so.6")).parent
    command = [loader, "--library-path", directory, "--argv0", root / "python/bin/python3"]
    done = subprocess.run(
        [*command, root / f"python/bin/python{VERSION}", "-I", "-S", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    prefix, paths, loaded = json.loads(done.stdout)
    assert prefix == str(root / "python") and all(path.startswith(prefix) for path in paths)
    assert loaded and all(path.startswith(str(root)) for path in loaded), loaded


def test_equal_interpreters_give_equal_bytes(archive, tmp_path):
    """Neither the directory nor the Python that compiles has an effect."""
    content, _ = write_archive(write_tree(tmp_path / "other"), tmp_path / "temporary")
    assert content == archive[0]


def test_terminal_and_desktop_parts_are_left_out():
    python = get_interpreter(VERSION, MACHINE, SilentReport())
    paths = [path.relative_to(python.library) for path in iter_standard_library(python)]
    assert {"asyncio", "ssl.py"} <= {path.parts[0] for path in paths}
    excluded = ("_pydecimal.py", "curses", "idlelib", "test", "tkinter")
    assert not [path for path in paths if path.parts[0] in excluded]
    names = {path.name.partition(".")[0] for path in list_extension_modules(python)}
    assert (
        "_ssl" in names and not {"nis", "readline", "_curses", "_curses_panel", "_tkinter"} & names
    )
    libraries = {path.name for path in _list_libraries(python)}
    assert not [
        name for name in libraries if name.startswith(("libkrb5", "libncurses", "libreadline"))
    ]


def test_only_what_an_app_imports_has_bytecode(tmp_path):
    """A start with these imports reads bytecode of each module that it imports."""
    python = get_interpreter(VERSION, MACHINE, SilentReport())
    tree = tmp_path / "tree"
    entries = list(
        iter_python_entries(python, "python", tree, modules={"asyncio", "json", "sysconfig"})
    )
    names = {entry.path.rpartition(f"/python{python.version}/")[2] for entry in entries}
    tag = f".{sys.implementation.cache_tag}.pyc"
    assert {f"json/__pycache__/decoder{tag}", f"asyncio/__pycache__/events{tag}"} <= names
    assert not {f"http/__pycache__/cookiejar{tag}", f"__pycache__/tarfile{tag}"} & names
    assert {"http/cookiejar.py", "tarfile.py"} <= names
    probe = "import asyncio, json, sys, sysconfig; sysconfig.get_config_vars(); print(*(name for "
    probe += "name, it in [*sys.modules.items()] if (path := getattr(getattr(it, '__spec__', 0), 'cached', '')) and "
    probe += "not __import__('os').path.exists(path)))"
    result = subprocess.run(
        [python.path, "-B", "-S", "-c", probe],
        env={"PYTHONHOME": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.split(), result.stderr) == ([], "")


def _list_libraries(python):
    entries = iter_shared_libraries(python.path, list_extension_modules(python))
    return [entry.source for entry in entries]


def test_the_libraries_are_those_that_the_loader_finds():
    """`ldd` asks the dynamic loader; the kit only reads the files."""
    python = get_interpreter(VERSION, MACHINE, SilentReport())
    modules = list_extension_modules(python)
    entries = iter_shared_libraries(python.path, modules)
    found = {entry.path.rpartition("/")[2]: entry.source for entry in entries}
    done = subprocess.run(["ldd", python.path, *modules], capture_output=True, check=True)
    lines = [line.split() for line in done.stdout.decode().splitlines() if " => " in line]
    assert lines
    for name, _, path, *_ in lines:
        assert found[name].samefile(path)


def test_an_interpreter_without_its_loader_needs_that_of_the_platform(tmp_path):
    """As on a machine of another kind, which has no C library for the interpreter."""
    program = tmp_path / "bin/python3"
    program.parent.mkdir()
    loader = b"/ld-linux-"
    content = EXECUTABLE.read_bytes()
    assert content.count(loader) >= 1
    program.write_bytes(content.replace(loader, b"/ld-absent"))
    with pytest.raises(BundleError, match="needs the C library") as raised:
        list(iter_shared_libraries(program, []))
    assert f"glibc on {MACHINE}" in raised.value.hint
    own = list(iter_shared_libraries(program, [], platform_glibc="2.99"))
    assert not [entry for entry in own if "libc.so" in entry.path or "/ld-" in entry.path]
    with pytest.raises(
        BundleError, match=r"needs glibc 2\.\d+, but the platform has 2\.1"
    ) as raised:
        list(iter_shared_libraries(program, [], platform_glibc="2.1"))
    assert "python-build-standalone" in raised.value.hint


def test_included_configurations_of_the_loader_are_read(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(EXECUTABLE, tmp_path / name / f"lib{name}.so")
        (tmp_path / f"{name}.conf").write_text(f"{tmp_path / name}  # a comment\n")
    configuration = tmp_path / "etc" / "ld.so.conf"
    configuration.parent.mkdir()
    configuration.write_text(f"include\t{tmp_path}/one.*\ninclude ../two.conf\ninclude no/*\n")
    monkeypatch.setattr(library_search, "_CONFIGURATION", configuration)
    search = library_search.LibrarySearch(EXECUTABLE, read_elf_file(EXECUTABLE))
    found, _ = search.find_all([], ["libone.so", "libtwo.so"])
    assert {"libone.so", "libtwo.so"} <= set(found)


def test_a_library_that_is_missing_is_named(tmp_path):
    program = tmp_path / "python3"
    program.write_bytes(EXECUTABLE.read_bytes().replace(b"libc.so.6\0", b"libX.so.6\0"))
    with pytest.raises(BundleError, match=r"not installed: .*libX\.so\.6"):
        list(iter_shared_libraries(program, []))


def test_a_standard_library_that_nothing_here_can_compile_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(python_entries, "find_python", lambda version: None)
    python = get_interpreter(
        VERSION, MACHINE, SilentReport(), source=str(write_tree(tmp_path / "tree"))
    )
    (tmp_path / "temporary").mkdir()
    with pytest.raises(BundleError, match=f"Python {VERSION}") as raised:
        list(iter_python_entries(python, "python", tmp_path / "temporary"))
    assert "uv python install" in raised.value.hint


def test_the_key_of_an_interpreter_depends_on_all_inputs(tmp_path):
    python = get_interpreter(
        VERSION, MACHINE, SilentReport(), source=str(write_tree(tmp_path / "python"))
    )
    library = tmp_path / "libc.so.6"
    library.write_bytes(b"one")
    entry = ArchiveEntry(path="lib/libc.so.6", source=library)
    keys = [compute_interpreter_key(python, [entry], 1, True)]
    assert compute_interpreter_key(python, [entry], 1, True) == keys[0]
    library.write_bytes(b"other")
    keys += [
        compute_interpreter_key(python, [entry], *options) for options in ((1, True), (2, True))
    ]
    keys.append(compute_interpreter_key(python, [ArchiveEntry(path="x", content=b"1")], 2, True))
    keys.append(compute_interpreter_key(python, [ArchiveEntry(path="x", content=b"2")], 2, True))
    (python.library / "os.py").write_text("# changed")
    keys.append(compute_interpreter_key(python, [ArchiveEntry(path="x", content=b"2")], 2, True))
    assert len(set(keys)) == len(keys)
