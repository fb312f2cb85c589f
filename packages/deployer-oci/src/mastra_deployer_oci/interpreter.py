"""The layer with an interpreter, for an image that stands on nothing."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_deployer_oci.layers import Entry, tree_entries
from mastra_deployer_oci.libraries import library_entries
from mastra_deployer_oci.pythons import Python

__all__ = ("PREFIX", "interpreter_entries")

PREFIX = "usr/local"

# Of the standard library: what no server imports, and what would need libraries of a desktop.
_LEFT_OUT = frozenset(
    "__pycache__ dist-packages ensurepip idlelib lib2to3 pydoc_data site-packages test tests "
    "tkinter turtledemo turtle.py".split()
)
_LEFT_OUT_STARTS = ("_ctypes_test", "_test", "_tkinter", "config-", "xxlimited", "xxsubtype")
_USERS = "root:x:0:0:root:/root:/sbin/nologin\napp:x:{user}:{group}:app:/tmp:/sbin/nologin\n"
_GROUP = "root:x:0:\napp:x:{group}:\n"
_SWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def interpreter_entries(python: Python, user: str, scratch: Path) -> Iterator[Entry]:
    """An interpreter with its library and what it links, a user to run it, and certificates.

    :param user: ``user[:group]`` in numbers.
    :param scratch: an empty directory; the files must stay there until the layer is written.
    """
    library = scratch / python.folder / f"python{python.version}"
    shutil.copytree(python.library, library, ignore=_ignored)
    _compile(python, scratch)
    yield from tree_entries(scratch, PREFIX)
    name = f"python{python.version}"
    yield Entry(path=f"{PREFIX}/bin/{name}", mode=0o755, source=python.path)
    yield Entry(path=f"{PREFIX}/bin/python3", link=name)
    yield Entry(path=f"{PREFIX}/bin/python", link=name)
    yield from library_entries([python.path, *sorted(library.rglob("*.so"))])
    yield from _system(user)


def _ignored(directory: str, names: list[str]) -> set[str]:
    del directory
    return {name for name in names if name in _LEFT_OUT or name.startswith(_LEFT_OUT_STARTS)}


def _compile(python: Python, tree: Path) -> None:
    """Bytecode that no time stamp makes stale: in the image every file is of 1970."""
    mode = ["--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [str(python.path), "-I", "-S", "-m", "compileall", "-qq", "-f", "-j", "0", *mode]
        + ["-s", str(tree), "-p", f"/{PREFIX}", str(tree)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if done.returncode and "SyntaxError" not in done.stdout:
        raise BundleError(
            f"{str(python.path)!r} could not compile its library: {done.stderr.strip()[-300:]}",
            "Check the free space, or pass -s interpreter=PATH with another Python.",
        )


def _system(user: str) -> Iterator[Entry]:
    number, _, group = user.partition(":")
    names = {"user": number, "group": group or number}
    yield Entry(path="etc/passwd", content=_USERS.format(**names).encode())
    yield Entry(path="etc/group", content=_GROUP.format(**names).encode())
    yield Entry(path="etc/nsswitch.conf", content=_SWITCH.encode())
    yield Entry(path="tmp", mode=0o1777, directory=True)
    found = ssl.get_default_verify_paths().cafile or f"/{_CERTIFICATES}"
    if Path(found).is_file():
        yield Entry(path=_CERTIFICATES, content=Path(found).read_bytes())
