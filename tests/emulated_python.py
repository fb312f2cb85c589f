"""Pythons of other systems, emulated: a prefix of links to this Python's standard library.

Such a Python runs in real processes. What it says of its system can be replaced, also with `-I -S`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

_PROBE = """
import os, sys, sysconfig
print(os.path.realpath(sys.executable))
print(sysconfig.get_path("stdlib"))
"""
_MAC_PLATFORM = """
def machine(): return "arm64"
def system(): return "Darwin"
def mac_ver(*arguments, **options): return ("15.5", ("", "", ""), "arm64")
def libc_ver(*arguments, **options): return ("", "")
"""
# The first module that a Python imports at each start.
_FIRST = "encodings"


def create_python(
    prefix: Path, *, python: str = sys.executable, start: str = "", **modules: str
) -> Path:
    """Create a prefix of a Python on this machine, and return the path of its executable.

    :param prefix: the directory to create.
    :param python: the Python.
    :param start: code that runs first in each process.
    :param modules: sources by module: ``sitecustomize`` is added, and code for a module of the
        standard library is appended to it.
    """
    executable, source = _probe(python)
    library = prefix / "lib" / source.name
    library.mkdir(parents=True)
    _link_all(source, library, "site-packages")
    _link_all(source.parent, library.parent, source.name)
    for path in source.glob(f"_sysconfigdata__{sys.platform}_*.py"):  # named by the markers
        rest = path.name.removeprefix(f"_sysconfigdata__{sys.platform}_")
        (library / f"_sysconfigdata__darwin_{rest}").symlink_to(path)
        (library / f"_sysconfigdata_t_{sys.platform}_{rest}").symlink_to(path)
    if start:
        _append(library, _FIRST, start)
    for name, code in modules.items():
        _append(library, name, code)
    (prefix / "bin").mkdir()
    shutil.copy(executable, prefix / "bin" / source.name)
    (prefix / "bin" / "python3").symlink_to(source.name)
    (prefix / "bin" / "python").symlink_to(source.name)
    return prefix / "bin" / source.name


def create_mac_python(prefix: Path, *, python: str = sys.executable) -> Path:
    """Create a Python that says that it runs on macOS 15 on Apple silicon.

    :param prefix: the directory to create.
    :param python: a Python of this machine.
    """
    return create_python(
        prefix,
        python=python,
        start=_build_markers("darwin"),
        platform=_MAC_PLATFORM,
        sysconfig="def get_platform(): return 'macosx-15.0-arm64'\n",
        _scproxy="def _get_proxy_settings(): return {}\ndef _get_proxies(): return {}\n",
    )


def create_musl_python(prefix: Path, *, python: str = sys.executable) -> Path:
    """Create a Python that says that its C library is not glibc, as on Alpine.

    :param prefix: the directory to create.
    :param python: a Python of this machine.
    """
    libc = "def libc_ver(*arguments, **options): return ('', '')\n"
    return create_python(prefix, python=python, platform=libc)


def create_free_threaded_python(prefix: Path, *, python: str = sys.executable) -> Path:
    """Create a Python that says that it is a free-threading build.

    :param prefix: the directory to create.
    :param python: a Python of this machine.
    """
    code = """
sys.abiflags = "t"
sys.version = sys.version.replace(" (", " (free-threading build ", 1)
"""
    return create_python(prefix, python=python, start=_build_markers(sys.platform) + code)


def share_packages(python: Path) -> None:
    """Let a Python import the packages of this environment.

    :param python: an executable that ``create_python`` returned.
    """
    (create_packages(python) / "shared.pth").write_text(sysconfig.get_path("purelib"), "utf-8")


def create_packages(python: Path) -> Path:
    """Create the directory of a Python's installed packages, and return it.

    :param python: an executable that ``create_python`` returned.
    """
    command = [python, "-I", "-c", "import site; print(site.getsitepackages()[-1])"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packages = Path(done.stdout.strip())  # Debian's Pythons call it dist-packages
    packages.mkdir(exist_ok=True)
    return packages


def _build_markers(system: str) -> str:
    return f"import sys\nsys.platform = {system!r}\n"


def _probe(python: str) -> tuple[str, Path]:
    done = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, text=True, check=True)
    executable, library = done.stdout.splitlines()
    return executable, Path(library)


def _link_all(source: Path, target: Path, *skipped: str) -> None:
    for path in source.iterdir():
        if path.name not in (*skipped, "__pycache__"):
            (target / path.name).symlink_to(path)


def _append(library: Path, module: str, code: str) -> None:
    """Append code to a copy of a module, which may be a package, of the standard library."""
    file, package = library / f"{module}.py", library / module
    if package.is_symlink():
        source = package.readlink()
        package.unlink()
        package.mkdir()
        _link_all(source, package)
        file = package / "__init__.py"
    text = file.read_text("utf-8") if file.exists() else ""
    file.unlink(missing_ok=True)
    file.write_text(f"{text}\n{code}", "utf-8")
