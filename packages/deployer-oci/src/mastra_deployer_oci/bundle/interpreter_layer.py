"""Write the layer with the interpreter, for an image without a base."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_deployer.kit import ArchiveEntry, iter_entries
from mastra_deployer_oci.bundle.interpreters import Interpreter
from mastra_deployer_oci.bundle.layer_cache import get_or_create_layer
from mastra_deployer_oci.bundle.layers import Layer, write_layer
from mastra_deployer_oci.bundle.shared_libraries import iter_libraries

__all__ = ("PREFIX", "build_interpreter_layer")

PREFIX = "usr/local"

# Parts of the standard library that no server imports, or that need desktop libraries.
_EXCLUDED = frozenset(
    "__pycache__ dist-packages ensurepip idlelib lib2to3 pydoc_data site-packages test tests "
    "tkinter turtledemo turtle.py".split()
)
_EXCLUDED_PREFIXES = ("_ctypes_test", "_test", "_tkinter", "config-", "xxlimited", "xxsubtype")
_USERS = "root:x:0:0:root:/root:/sbin/nologin\napp:x:{user}:{group}:app:/tmp:/sbin/nologin\n"
_GROUP = "root:x:0:\napp:x:{group}:\n"
_SWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def build_interpreter_layer(python: Interpreter, user: str, blobs: Path) -> Layer:
    """Write a layer with an interpreter, its shared libraries, a user and CA certificates.

    :param python: the interpreter.
    :param user: user that runs the app, ``user[:group]`` in numbers.
    :param blobs: directory of the bundle's blobs.
    :returns: the layer.
    """

    def write(blobs: Path) -> Layer:
        with tempfile.TemporaryDirectory(prefix="mastra-layer-") as temp_dir:
            entries = [*_iter_python_entries(python, Path(temp_dir)), *system_entries]
            return write_layer(f"Python {python.full_version}", entries, blobs)

    modules = sorted(python.library.glob("lib-dynload/*.so"))
    needed_modules = [path for path in modules if not path.name.startswith(_EXCLUDED_PREFIXES)]
    system_entries = [*iter_libraries(python.path, needed_modules), *_iter_system_entries(user)]
    return get_or_create_layer(_compute_cache_key(python, system_entries), blobs, write)


def _compute_cache_key(python: Interpreter, extra: list[ArchiveEntry]) -> str:
    """Hash the size and time of each input.

    Reading the inputs would take as long as packing them.
    """
    digest = hashlib.sha256(f"1 {zlib.ZLIB_RUNTIME_VERSION} {python}".encode())
    files = [python.path, *_iter_library_files(python)]
    files += [entry.source for entry in extra if entry.source]
    for path in files:
        state = path.stat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    for entry in extra:
        digest.update(f"{entry.path} {entry.mode} ".encode() + entry.content)
    return digest.hexdigest()


def _iter_library_files(python: Interpreter) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(python.library):
        subdirectories[:] = sorted(set(subdirectories) - _select_ignored(directory, subdirectories))
        yield from (Path(directory) / name for name in sorted(names))


def _iter_python_entries(python: Interpreter, temp_dir: Path) -> Iterator[ArchiveEntry]:
    """Yield the interpreter; its files must stay in ``temp_dir`` until the layer is written."""
    library = temp_dir / python.platlibdir / f"python{python.version}"
    shutil.copytree(python.library, library, ignore=_select_ignored)
    _compile_library(python, temp_dir)
    yield from iter_entries(temp_dir, PREFIX, keep_links=True)
    name = f"python{python.version}"
    yield ArchiveEntry(path=f"{PREFIX}/bin/{name}", mode=0o755, source=python.path)
    yield ArchiveEntry(path=f"{PREFIX}/bin/python3", link=name)
    yield ArchiveEntry(path=f"{PREFIX}/bin/python", link=name)


def _select_ignored(directory: str, names: list[str]) -> set[str]:
    del directory
    return {name for name in names if name in _EXCLUDED or name.startswith(_EXCLUDED_PREFIXES)}


def _compile_library(python: Interpreter, tree: Path) -> None:
    """Compile to bytecode without time stamps, because every file in the image is dated 1970."""
    mode = ["--invalidation-mode", "unchecked-hash"]
    process = subprocess.run(
        [str(python.path), "-I", "-S", "-m", "compileall", "-qq", "-f", "-j", "0", *mode]
        + ["-s", str(tree), "-p", f"/{PREFIX}", str(tree)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if process.returncode and "SyntaxError" not in process.stdout:
        raise BundleError(
            f"{str(python.path)!r} failed to compile its library: {process.stderr.strip()[-300:]}",
            "Check the free disk space, or pass -s interpreter=PATH with another Python.",
        )


def _iter_system_entries(user: str) -> Iterator[ArchiveEntry]:
    uid, _, group = user.partition(":")
    names = {"user": uid, "group": group or uid}
    yield ArchiveEntry(path="etc/passwd", content=_USERS.format(**names).encode())
    yield ArchiveEntry(path="etc/group", content=_GROUP.format(**names).encode())
    yield ArchiveEntry(path="etc/nsswitch.conf", content=_SWITCH.encode())
    yield ArchiveEntry(path="tmp", mode=0o1777, directory=True)
    certificates = ssl.get_default_verify_paths().cafile or f"/{_CERTIFICATES}"
    if Path(certificates).is_file():
        yield ArchiveEntry(path=_CERTIFICATES, content=Path(certificates).read_bytes())
