"""Builds deployers from Acme's source: the complete one, and ones with a defect."""

import importlib
import itertools
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "mastra-deployer-acme" / "mastra_deployer_acme"
_numbers = itertools.count(1)


def read_source():
    """Return the source of the example's settings and hooks and of the other hooks, as one."""
    files = (EXAMPLE / "__init__.py", EXAMPLE / "hooks.py", HERE / "acme_full.py")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    kept = [line for line in lines if not line.startswith("from mastra_deployer_acme")]
    return "\n".join(kept) + "\n"


def replace_source(*changes):
    """Return the source with each piece replaced once; raise for a missing piece."""
    source = read_source()
    for before, after in changes:
        assert source.count(before) >= 1, f"this is not in the source: {before}"
        source = source.replace(before, after, 1)
    return source


def load_module(source, directory):
    """Load the source as a module with a unique name, which other processes can import too."""
    name = f"acme_variant_{next(_numbers)}"
    (directory / f"{name}.py").write_text(source, encoding="utf-8")
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    return importlib.import_module(name)


def unload_module(module, directory):
    """Undo ``load_module``."""
    sys.path.remove(str(directory))
    del sys.modules[module.__name__]
