"""Send an HTTP request over a connection that no other request uses."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from urllib.request import OpenerDirector

__all__ = ("FetchedResponse", "fetch")

_MAX_BYTES = 1024 * 1024  # of a response
_TOO_LARGE = "the response is too large"
_TOO_SLOW = "the response is too slow"


class FetchedResponse(NamedTuple):
    """The response to ``fetch``.

    :param status: the HTTP status.
    :param body: the body.
    """

    status: int
    body: bytes


async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 5.0,
) -> FetchedResponse:
    """Send a request, and return the response with any status.

    In Pyodide, the platform's ``fetch`` sends the request; in other Pythons, a thread sends it.
    Only a ``GET`` request follows redirects, because its headers have no credentials.

    :param url: the URL.
    :param method: the HTTP method.
    :param headers: the headers.
    :param body: the body.
    :param seconds: the time for the whole response.
    :raises OSError: when there is no response, or a response that is too large or too slow.
    """
    if sys.platform == "emscripten":
        return await _fetch_in_pyodide(url, method, headers or {}, body, seconds)
    import asyncio

    connections: list[HTTPConnection] = []
    try:
        async with asyncio.timeout(seconds):  # each byte of slow headers begins a new wait
            return await asyncio.to_thread(
                _fetch_blocking, url, method, headers or {}, body, seconds, connections
            )
    except TimeoutError:
        raise OSError(_TOO_SLOW) from None
    finally:
        _end_connections(connections)


def _end_connections(connections: Iterable[HTTPConnection]) -> None:
    """End connections that still wait for headers, so that their thread becomes free."""
    import contextlib
    import socket

    for open_socket in [connection.sock for connection in connections]:
        with contextlib.suppress(OSError):  # the socket is closed already
            if open_socket is not None:
                open_socket.shutdown(socket.SHUT_RDWR)


def _fetch_blocking(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    seconds: float,
    connections: list[HTTPConnection],
) -> FetchedResponse:
    import time
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    end = time.monotonic() + seconds
    request = Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310  # the application's own setting
    opener = _build_opener(connections, follows_redirects=method == "GET")
    try:
        response = opener.open(request, timeout=seconds)
    except HTTPError as error:
        response = error
    except HTTPException as error:
        raise OSError(f"the response is invalid: {type(error).__name__}") from error
    with response:
        return FetchedResponse(response.status, _read_body(response, end))


def _build_opener(connections: list[HTTPConnection], *, follows_redirects: bool) -> OpenerDirector:
    """Build a urllib opener that adds each connection that it opens to ``connections``.

    :param connections: the list.
    :param follows_redirects: whether the opener follows redirects.
    """
    from http.client import HTTPConnection, HTTPSConnection
    from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, build_opener

    class NoRedirects(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None: ...

    def connect(kind: type[HTTPConnection], *arguments: Any, **options: Any) -> HTTPConnection:
        connections.append(kind(*arguments, **options))
        return connections[-1]

    class Http(HTTPHandler):
        def http_open(self, req: Any) -> Any:
            return self.do_open(functools.partial(connect, HTTPConnection), req)

    class Https(HTTPSHandler):
        def https_open(self, req: Any) -> Any:
            return self.do_open(functools.partial(connect, HTTPSConnection), req)

    return build_opener(Http, Https, *(() if follows_redirects else (NoRedirects,)))


def _read_body(response: Any, end: float) -> bytes:
    import time
    from http.client import HTTPException

    pieces, size = [], 0
    try:
        while piece := response.read1(65_536):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_BYTES:
                raise OSError(_TOO_LARGE)
            if time.monotonic() > end:
                raise OSError(_TOO_SLOW)
    except HTTPException as error:
        raise OSError(f"the response is invalid: {type(error).__name__}") from error
    return b"".join(pieces)


async def _fetch_in_pyodide(
    url: str, method: str, headers: Mapping[str, str], body: bytes | None, seconds: float
) -> FetchedResponse:
    import asyncio
    from importlib import import_module

    http: Any = import_module("pyodide.http")
    options: dict[str, Any] = {"method": method, "headers": dict(headers)}
    options["redirect"] = "follow" if method == "GET" else "manual"
    if body is not None:
        options["body"] = import_module("pyodide.ffi").to_js(body)
    try:
        async with asyncio.timeout(seconds):
            response = await http.pyfetch(url, **options)
            content = await response.bytes()
    except TimeoutError:
        raise OSError(_TOO_SLOW) from None
    if len(content) > _MAX_BYTES:
        raise OSError(_TOO_LARGE)
    return FetchedResponse(response.status, content)
