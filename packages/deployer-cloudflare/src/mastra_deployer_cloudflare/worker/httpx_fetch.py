"""Send the requests of ``httpx`` with the platform's ``fetch``.

Python has no TLS in a Worker, so ``httpx`` cannot open connections by itself. ``httpx2``, the
successor of ``httpx``, already uses ``fetch``.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
from collections.abc import AsyncIterator
from typing import Any

__all__ = ("use_fetch_for_httpx",)

# fetch sets these headers itself, or decodes the body that they describe.
_REQUEST_HEADERS = frozenset(("connection", "content-length", "host", "transfer-encoding"))
_RESPONSE_HEADERS = frozenset(("content-encoding", "content-length", "transfer-encoding"))


def use_fetch_for_httpx() -> None:
    """Replace the transports of ``httpx``; do nothing if the bundle does not have ``httpx``."""
    if importlib.util.find_spec("httpx") is None:
        return
    import httpx

    for transport in (httpx.HTTPTransport, httpx.AsyncHTTPTransport):
        _replace(transport, "__init__", _ignore_settings)
    _replace(httpx.HTTPTransport, "handle_request", _send_blocking)
    _replace(httpx.AsyncHTTPTransport, "handle_async_request", _send)
    for name in ("close", "__enter__", "__exit__"):
        _replace(httpx.HTTPTransport, name, getattr(httpx.BaseTransport, name))
    for name in ("aclose", "__aenter__", "__aexit__"):
        _replace(httpx.AsyncHTTPTransport, name, getattr(httpx.AsyncBaseTransport, name))


def _replace(transport: type, name: str, method: Any) -> None:
    setattr(transport, name, method)


def _ignore_settings(self: Any, *_: Any, **__: Any) -> None:
    """Ignore certificates, proxies and connection limits, which only the platform can set."""


def _send_blocking(self: Any, request: Any) -> Any:
    """Send a request, and block until the whole response is read."""
    import httpx
    from pyodide.ffi import run_sync

    response = run_sync(_send(self, request))
    content = run_sync(response.aread())
    return httpx.Response(response.status_code, headers=response.headers, content=content)


async def _send(_: Any, request: Any) -> Any:
    """Send a request, and return a response whose body is read in chunks."""
    import httpx
    import js
    from pyodide.ffi import JsException, to_js

    content = await _read_content(request)
    controller = js.AbortController.new()
    headers = [[k, v] for k, v in request.headers.multi_items() if k not in _REQUEST_HEADERS]
    options = {
        "method": request.method,
        "headers": js.Headers.new(to_js(headers)),
        "redirect": "manual",
        "signal": controller.signal,
        **({"body": to_js(content)} if content else {}),
    }
    head_seconds, part_seconds = _compute_timeouts(request)
    try:
        async with asyncio.timeout(head_seconds):
            response = await js.fetch(str(request.url), **options)
    except TimeoutError:
        controller.abort()
        raise httpx.ReadTimeout("fetch took too long", request=request) from None
    except asyncio.CancelledError:
        controller.abort()
        raise
    except JsException as error:
        raise httpx.ConnectError(str(error), request=request) from None
    body = _get_body_class()(response.body, request, part_seconds)
    return httpx.Response(response.status, headers=_read_headers(response), stream=body)


def _compute_timeouts(request: Any) -> tuple[float | None, float | None]:
    """Return the timeouts for the head and for each part of a response; ``None`` for no limit.

    ``fetch`` does not report when it has opened the connection.
    """
    timeouts = request.extensions.get("timeout") or {}
    connect, read = timeouts.get("connect"), timeouts.get("read")
    return (None if connect is None or read is None else connect + read), read


async def _read_content(request: Any) -> bytes:
    if hasattr(request.stream, "__aiter__"):
        return b"".join([part async for part in request.stream])
    return b"".join(request.stream)


def _read_headers(response: Any) -> list[tuple[str, str]]:
    """Return the headers, with a separate ``set-cookie`` header for each cookie."""
    cookies = [("set-cookie", value) for value in response.headers.getSetCookie()]
    hidden = {*_RESPONSE_HEADERS, "set-cookie"}
    return [*cookies, *((name, value) for name, value in response.headers if name not in hidden)]


@functools.cache
def _get_body_class() -> Any:
    import httpx
    from pyodide.ffi import JsException

    class Body(httpx.AsyncByteStream):
        """The body of a response. Closing the body before its end cancels the response."""

        def __init__(self, stream: Any, request: Any, seconds: float | None) -> None:
            self._reader = stream.getReader() if stream else None
            self._request, self._seconds = request, seconds

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while self._reader is not None:
                try:
                    async with asyncio.timeout(self._seconds):
                        part = await self._reader.read()
                except TimeoutError:
                    await self.aclose()
                    message = "the body took too long"
                    raise httpx.ReadTimeout(message, request=self._request) from None
                except JsException as error:
                    raise httpx.ReadError(str(error), request=self._request) from None
                if part.done:
                    self._reader = None
                else:
                    yield part.value.to_bytes()

        async def aclose(self) -> None:
            if self._reader is not None:
                reader, self._reader = self._reader, None
                await reader.cancel()

    return Body
