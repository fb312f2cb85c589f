"""Directories with an interpreter of this machine, without what a test does not import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

VERSION = "{}.{}".format(*sys.version_info)
MACHINE = os.uname().machine
LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
EXECUTABLE = Path(sys.executable).resolve()
_FILES = """
import encodings.idna, json, os, sqlite3, ssl, sys, sysconfig
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([[file for file in files if file], list(sys.modules)]))
"""


def write_tree(directory: Path, *, version: str = VERSION, mode: int = 0o644) -> Path:
    """Write an interpreter of a version that can import a few modules; it is not executable."""
    library = directory / f"lib/python{version}"
    for path in _list_modules():
        file = library / path.relative_to(LIBRARY)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, file)
    program = directory / f"bin/python{version}"
    program.parent.mkdir()
    shutil.copyfile(EXECUTABLE, program)
    program.chmod(mode)
    return directory


def _list_modules() -> list[Path]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _FILES], capture_output=True, check=True
    )
    files, modules = json.loads(done.stdout)
    # The module collections.abc of Python 3.13 replaces itself with another one.
    files += [f"{LIBRARY}/{name.replace('.', '/')}.py" for name in modules]
    paths = {Path(name).resolve() for name in files}
    return sorted(path for path in paths if path.is_relative_to(LIBRARY) and path.is_file())
