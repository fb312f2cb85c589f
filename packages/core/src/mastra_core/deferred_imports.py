"""Postpone imports that a framework makes at its start and needs in rare cases only."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ("defer_imports",)

_LOCK = threading.Lock()


@contextlib.contextmanager
def defer_imports(*names: str) -> Iterator[None]:
    """Let ``import NAME`` in a block bind a stand-in, which imports the module on first use.

    After the block, an import finds the module itself. If ``sys.modules`` still contained the
    stand-in, ``import NAME.part`` would import the part twice.

    ``from NAME import attribute`` imports the module at once. Names that are imported already, and
    names of modules that are not installed, keep their usual meaning.

    :param names: names of top-level modules.
    """
    stand_ins: dict[str, ModuleType] = {}
    for name in names:
        if name not in sys.modules and (spec := find_spec(name)) is not None:
            module = _DeferredModule(name)
            vars(module).update(__spec__=spec, __loader__=spec.loader, __package__=spec.parent)
            stand_ins[name] = sys.modules[name] = module
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


class _DeferredModule(ModuleType):
    """A stand-in for a module, until one of the module's attributes is used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_import(self), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_import(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_import(self), name)

    def __dir__(self) -> list[str]:
        return dir(_import(self))


def _import(stand_in: ModuleType) -> ModuleType:
    """Replace a stand-in with its module; other threads wait, as in every import.

    :param stand_in: a stand-in, perhaps one that was replaced before.
    """
    name = stand_in.__name__
    with _LOCK:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
    return import_module(name)
