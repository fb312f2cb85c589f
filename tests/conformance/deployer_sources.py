"""Deployers made of Acme's source: whole, or broken in one place."""

import importlib
import itertools
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "mastra-deployer-acme"
_numbers = itertools.count(1)


def whole():
    """The example and the rest of its verbs, as one module's source."""
    example = (EXAMPLE / "mastra_deployer_acme.py").read_text(encoding="utf-8")
    lines = (HERE / "acme_full.py").read_text(encoding="utf-8").splitlines()
    rest = [line for line in lines if not line.startswith("from mastra_deployer_acme")]
    return f"{example}\n" + "\n".join(rest) + "\n"


def broken(*changes):
    """That source with each piece replaced; a piece that is not there is an error."""
    source = whole()
    for before, after in changes:
        assert source.count(before) >= 1, f"this is not in the source: {before}"
        source = source.replace(before, after, 1)
    return source


def module_of(source, directory):
    """The source as a module that other processes can import too, under a name of its own."""
    name = f"acme_made_{next(_numbers)}"
    (directory / f"{name}.py").write_text(source, encoding="utf-8")
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    return importlib.import_module(name)


def forget(module, directory):
    """Undo it."""
    sys.path.remove(str(directory))
    del sys.modules[module.__name__]
