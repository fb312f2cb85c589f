"""Find an interpreter for a bundle: a given interpreter, or one of this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import BundleError, ConfigError
from mastra_deployer.kit.runtimes.find_python import find_python
from mastra_deployer.project.interpreters import probe_interpreter

__all__ = ("BundledPython", "open_interpreter")

_PROBE = """
import json, os, platform, sys, sysconfig
print(json.dumps([
    os.path.realpath(sys.executable), "%d.%d" % sys.version_info[:2], platform.python_version(),
    platform.machine(), platform.libc_ver()[0], os.path.realpath(sysconfig.get_path("stdlib")),
    sys.platlibdir if hasattr(sys, "platlibdir") else "lib", sys.platform,
]))
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundledPython:
    """An interpreter and its own description.

    :param path: path of the executable, with symbolic links resolved.
    :param version: version with two numbers, ``3.12``.
    :param full_version: version with three numbers, ``3.12.1``.
    :param machine: machine name, ``x86_64``.
    :param libc: name of the C library, ``glibc``; empty when it is unknown.
    :param library: directory of the standard library.
    :param platlibdir: ``sys.platlibdir``, ``lib`` or ``lib64``.
    :param system: ``sys.platform``, ``linux``.
    """

    path: Path
    version: str
    full_version: str
    machine: str
    libc: str
    library: Path
    platlibdir: str
    system: str = "linux"


@contextlib.contextmanager
def open_interpreter(
    version: str, machine: str, *, source: str = "", preferred_path: str = ""
) -> Iterator[BundledPython]:
    """Find the interpreter for a bundle; an unpacked archive exists until the block ends.

    An interpreter of this machine is enough, because the bundle can also contain its shared
    libraries.

    :param version: version with two numbers, ``3.12``.
    :param machine: machine name, ``x86_64``.
    :param source: the deployer's setting ``interpreter``: a directory, or a ``.tar.gz`` or
        ``.tar.zst``; an interpreter of this machine where empty.
    :param preferred_path: path of an interpreter to try first.
    :returns: the interpreter, valid inside the ``with`` block.
    :raises ConfigError: when the source has no suitable interpreter.
    :raises BundleError: when this machine has no suitable interpreter.
    """
    if not source:
        yield _find_installed(version, machine, preferred_path)
        return
    with tempfile.TemporaryDirectory(prefix="mastra-python-") as temp_dir:
        yield _find_in_tree(
            _unpack_source(Path(source).expanduser(), Path(temp_dir)), version, machine, source
        )


def _find_installed(version: str, machine: str, preferred_path: str) -> BundledPython:
    expected = (version, machine, "glibc", "linux")
    for path in _iter_candidates(version, preferred_path):
        python = _probe(path)
        if python and (python.version, python.machine, python.libc, python.system) == expected:
            return python
    own = probe_interpreter(sys.executable)
    if own and not own.can_run(f"{machine}-manylinux2014"):
        raise BundleError(
            f"The bundle carries Python {version} for Linux on {machine} with glibc, and the "
            f"Pythons of this machine are for {own.machine}.",
            f"Bundle on Linux on {machine}, such as in CI or in a container.",
        )
    raise BundleError(
        f"The bundle needs Python {version} for Linux on {machine}, which was not found.",
        "Install it, or pass -s interpreter=PATH.",
    )


def _iter_candidates(version: str, preferred_path: str) -> Iterator[str]:
    yield from filter(None, (preferred_path, sys.executable, find_python(version)))


def _probe(path: str) -> BundledPython | None:
    """Run an interpreter to read its version and paths; return ``None`` if it does not run."""
    try:
        process = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, timeout=20, check=True
        )
        executable, version, full, machine, libc, library, folder, system = json.loads(
            process.stdout
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return BundledPython(
        path=Path(executable),
        version=version,
        full_version=full,
        machine=machine,
        libc=libc,
        library=Path(library),
        platlibdir=folder,
        system=system,
    )


def _find_in_tree(tree: Path, version: str, machine: str, source: str) -> BundledPython:
    # python-build-standalone packs it at the top, in python/, or in python/install/.
    patterns = (f"{up}bin/python{version}" for up in ("", "*/", "*/*/"))
    paths = (path for pattern in patterns for path in sorted(tree.glob(pattern)))
    python = next(filter(None, map(_probe, map(str, paths))), None)
    if python is None:
        raise ConfigError(
            f"interpreter={source!r} has no Python {version} that runs on this machine.",
            f"Pass a Python with bin/python3.X for Linux on {machine}, such as "
            "python-build-standalone, and bundle on such a machine.",
        )
    if (python.system, python.machine) != ("linux", machine):
        raise ConfigError(
            f"interpreter={source!r} is for {python.system} on {python.machine}, but the bundle is "
            f"for linux on {machine}.",
            f"Pass an interpreter for Linux on {machine}, and bundle on such a machine.",
        )
    return python


def _unpack_source(path: Path, temp_dir: Path) -> Path:
    if path.is_dir():
        return path.resolve()
    if not path.is_file():
        raise ConfigError(
            f"interpreter={str(path)!r} does not exist.",
            "Pass a directory, a .tar.gz or a .tar.zst that contains a Python.",
        )
    try:
        with _open_archive(path) as archive:
            archive.extractall(temp_dir, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ConfigError(
            f"interpreter={str(path)!r} cannot be unpacked: {error}.",
            "Pass a .tar.gz or a .tar.zst that can be unpacked.",
        ) from None
    return temp_dir.resolve()


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[tarfile.TarFile]:
    if path.suffix != ".zst":
        with tarfile.open(path) as archive:
            yield archive
        return
    program = shutil.which("zstd")
    if program is None:
        raise ConfigError(
            f"Unpacking {path.name!r} needs the program zstd.",
            "Install zstd, or pass a .tar.gz.",
        )
    with (
        subprocess.Popen([program, "-dcq", str(path)], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        yield archive
