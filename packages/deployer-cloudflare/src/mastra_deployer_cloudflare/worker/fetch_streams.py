"""Let the streams of ``httpx2`` yield ``bytes``.

``httpx2-jsfetch`` 1.0 yields memory views. The SDK of Anthropic splits what it receives into lines,
which a memory view does not support.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ("convert_fetch_streams",)

_MODULE = "httpx2_jsfetch"


def convert_fetch_streams() -> None:
    """Change the streams when their module is imported, which may be at the first request."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the module by the other finders, and changes it after its execution.

    The patches of the Worker's SDK do not reach modules that a request imports.
    """

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            _change_after_execution(spec.loader)
        return spec


def _change_after_execution(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if stream := getattr(module, "EmscriptenStream", None):
            _replace_iterator(stream)
        if stream := getattr(module, "AsyncEmscriptenStream", None):
            _replace_async_iterator(stream)

    loader.exec_module = exec_module


def _replace_iterator(stream: Any) -> None:
    iterate = stream.__iter__

    def iter_bytes(self: Any) -> Iterator[bytes]:
        for chunk in iterate(self):
            yield bytes(chunk)

    stream.__iter__ = iter_bytes


def _replace_async_iterator(stream: Any) -> None:
    iterate = stream.__aiter__

    async def iter_bytes(self: Any) -> AsyncIterator[bytes]:
        async for chunk in iterate(self):
            yield bytes(chunk)

    stream.__aiter__ = iter_bytes
