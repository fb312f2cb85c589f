"""Correct what ``httpx2-jsfetch`` 1.0 does differently from the transports of ``httpx2``.

- The streams of ``httpx2-jsfetch`` yield memory views. The SDK of Anthropic splits what it receives
  into lines, which a memory view does not support.
- ``httpx2-jsfetch`` waits for the head of a response only as long as the timeout for connecting.
  The SDKs of models set this timeout to 5 seconds, but the answer of a model may take minutes.
- A request continues after its task was cancelled, and a response continues after it was closed.
  Without a correction, a model continues to write after its reader has gone.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ("patch_httpx2_fetch",)

_MODULE = "httpx2_jsfetch"


def patch_httpx2_fetch() -> None:
    """Change the transports when their module is imported, which may be at the first request."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Lets the other finders find ``httpx2_jsfetch``, and patches the module after its execution.

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
            stream.aclose = _abort_response
        if wait := getattr(module, "_run_async_with_timeout", None):
            _replace(module, "_run_async_with_timeout", _abort_on_cancellation(wait))
        if hasattr(module, "_compute_timeouts"):
            _replace(module, "_compute_timeouts", _compute_timeouts)

    loader.exec_module = exec_module


def _replace(module: ModuleType, name: str, function: Any) -> None:
    setattr(module, name, function)


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


async def _abort_response(self: Any) -> None:
    """Close a stream; a stream that has been read to its end has nothing to abort."""
    self._stream_js = None
    self.abort_controller_js.abort()


def _abort_on_cancellation(wait: Any) -> Any:
    async def wait_or_abort(
        promise: Awaitable[Any], seconds: float, controller: Any, *errors: type[Exception]
    ) -> Any:
        try:
            return await wait(promise, seconds, controller, *errors)
        except asyncio.CancelledError:
            controller.abort()
            raise

    return wait_or_abort


def _compute_timeouts(extensions: dict[str, Any]) -> tuple[float, float]:
    """Return the timeouts in seconds for the head and each part of a response; 0 for no limit."""
    timeouts = extensions.get("timeout") or {}
    connect, read = timeouts.get("connect") or 0, timeouts.get("read") or 0
    return (connect + read if connect and read else 0), read
