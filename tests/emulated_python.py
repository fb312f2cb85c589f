"""Pythons of other systems, emulated: a prefix of links to this Python's standard library.

Such a Python runs in real processes. What it says of its system can be replaced, also with `-I -S`.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
# The first module that a Python imports at each start.
_FIRST = "encodings/__init__.py"


def create_python(prefix: Path, *, start: str = "", **modules: str) -> Path:
    """Create a prefix whose Python is this one, and return the path of its executable.

    :param prefix: the directory to create.
    :param start: code that runs first in each process.
    :param modules: sources by module: ``sitecustomize`` is added, and code for a module of the
        standard library is appended to it.
    """
    source, library = Path(sysconfig.get_path("stdlib")), prefix / "lib" / _VERSION
    library.mkdir(parents=True)
    _link_all(source, library, "site-packages")
    _link_all(source.parent, library.parent, _VERSION)
    (library / "site-packages").mkdir()
    if start:
        (library / "encodings").unlink()
        (library / "encodings").mkdir()
        _link_all(source / "encodings", library / "encodings")
        _append(library / _FIRST, start)
    for name, code in modules.items():
        _append(library / f"{name}.py", code)
    (prefix / "bin").mkdir()
    shutil.copy(os.path.realpath(sys.executable), prefix / "bin" / _VERSION)
    (prefix / "bin" / "python3").symlink_to(_VERSION)
    (prefix / "bin" / "python").symlink_to(_VERSION)
    return prefix / "bin" / _VERSION


def _link_all(source: Path, target: Path, *skipped: str) -> None:
    for path in source.iterdir():
        if path.name not in (*skipped, "__pycache__"):
            (target / path.name).symlink_to(path)


def _append(file: Path, code: str) -> None:
    text = file.read_text("utf-8") if file.exists() else ""
    file.unlink(missing_ok=True)
    file.write_text(f"{text}\n{code}", "utf-8")
