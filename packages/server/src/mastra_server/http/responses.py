"""Build responses: JSON, and bodies that are streamed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.response.base import ASGIResponse

from mastra_core.json_repair import repair_text
from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.page_size import PageSize
from mastra_core.limits.shares import Shares
from mastra_core.schema import encode_json
from mastra_server.http.asgi import App, Receive, Scope, Send
from mastra_server.http.callers import identify_caller

__all__ = (
    "MAX_LIST_BYTES",
    "UNSENT_BYTES",
    "StreamResponse",
    "cancel_tasks",
    "close_on_exit",
    "json_response",
    "list_response",
    "object_response",
    "text_response",
    "to_response",
)

T = TypeVar("T")
_ROWS_PER_TURN = 100
_FEW_ENTRIES = 10  # entries of an object that is encoded at once, which takes less time
_PIECE_SIZE = 256 * 1024  # bytes that are handed to the ASGI server at a time
MAX_LIST_BYTES = fit_to_memory(64 * 1024 * 1024)  # of one response with a list
# Of all larger responses of this process.
UNSENT_BYTES = Shares(fit_to_memory(256 * 1024 * 1024))
_NOSNIFF = "x-content-type-options"  # browsers must not detect a script or a page in a plain text


class _JsonResponse(ASGIResponse):
    """A JSON response that avoids the overhead of Litestar's responses."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self._body = body
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        for name, value in headers.items():
            self._headers.append((name.lower().encode(), value.encode("latin-1")))

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send the response; for a ``HEAD`` request, omit the body."""
        start = {"type": "http.response.start", "status": self.status_code}
        if len(self._body) > _PIECE_SIZE and scope["method"] != "HEAD":
            await self._send_in_pieces(scope, send)
            return
        await send({**start, "headers": self._headers})
        body = b"" if scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_in_pieces(self, scope: Scope, send: Send) -> None:
        """Send a large body at the client's speed; respond 429 above the caller's limit."""
        body, caller = self._body, identify_caller(scope)
        if not UNSENT_BYTES.try_acquire(caller, len(body)):
            await _refuse_large_response()(scope, _receive_nothing, send)
            return
        try:
            start = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self._headers})
            await _send_pieces(body, send, is_last=True)
        finally:
            UNSENT_BYTES.release(caller, len(body))


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> ASGIResponse:
    """Build a JSON response.

    :param body: the value to encode.
    :param status: the HTTP status.
    :param headers: further headers.
    """
    return _JsonResponse(encode_json(body), status, headers or {})


async def list_response(
    request: Request[Any, Any, Any],
    key: str,
    rows: Iterable[T] | AsyncGenerator[T],
    build: Callable[[T], Any],
    fields: Mapping[str, Any],
) -> ASGIResponse:
    """Build a JSON response with a list; other requests can run while a long list is encoded.

    The encoded bytes count toward the caller's limit. A list that exceeds this limit gets a 429.

    :param request: the request.
    :param key: the name of the list.
    :param rows: the rows; a generator may read them from a database meanwhile.
    :param build: a function that converts each row to the value that is encoded.
    :param fields: the other fields of the response.
    :raises InvalidInput: when the list is larger than ``MAX_LIST_BYTES``.
    """
    size = PageSize(MAX_LIST_BYTES)
    pieces = await _encode_rows(request, rows, lambda row: encode_json(build(row)), size)
    if pieces is None:
        return _refuse_large_response()
    head = b"{" + encode_json(key) + b":[" + b",".join(pieces) + b"]"
    rest = encode_json(fields)
    return _JsonResponse(head + (b"}" if rest == b"{}" else b"," + rest[1:]), 200, {})


async def object_response(
    request: Request[Any, Any, Any], entries: Mapping[str, T], build: Callable[[T], Any]
) -> ASGIResponse:
    """Build a JSON response with an object of many entries, such as a registry.

    Other requests can run while the entries are encoded. The encoded bytes count toward the
    caller's limit. An object that exceeds this limit gets a 429.

    :param request: the request.
    :param entries: the entries; their number has no limit, because they belong to the application.
    :param build: a function that converts each value to the value that is encoded.
    """
    if len(entries) <= _FEW_ENTRIES:
        return json_response({key: build(value) for key, value in entries.items()})

    def encode_entry(entry: tuple[str, T]) -> bytes:
        key, value = entry
        return encode_json(key) + b":" + encode_json(build(value))

    pieces = await _encode_rows(request, entries.items(), encode_entry, PageSize(None))
    if pieces is None:
        return _refuse_large_response()
    return _JsonResponse(b"{" + b",".join(pieces) + b"}", 200, {})


async def _encode_rows(
    request: Request[Any, Any, Any],
    rows: Iterable[T] | AsyncGenerator[T],
    encode: Callable[[T], bytes],
    size: PageSize,
) -> list[bytes] | None:
    """Encode rows, and let other requests run meanwhile; ``None`` above the caller's limit."""
    caller = identify_caller(request.scope)
    pieces: list[bytes] = []
    pending, counted = 0, 0  # bytes since the last turn, and bytes that count for the caller
    try:
        async with contextlib.aclosing(_iter_rows(rows)) as opened:
            async for row in opened:
                pieces.append(encode(row))
                pending += len(pieces[-1])
                size.add(len(pieces[-1]))
                if len(pieces) % _ROWS_PER_TURN == 0 or pending > _PIECE_SIZE:
                    if not UNSENT_BYTES.try_acquire(caller, pending):
                        return None
                    counted, pending = counted + pending, 0
                    await asyncio.sleep(0)
    finally:
        UNSENT_BYTES.release(caller, counted)
    return pieces


def _iter_rows(rows: Iterable[T] | AsyncGenerator[T]) -> AsyncGenerator[T]:
    return rows if isinstance(rows, AsyncGenerator) else _iter_present_rows(rows)


async def _iter_present_rows(rows: Iterable[T]) -> AsyncGenerator[T]:
    for row in rows:
        yield row


def _refuse_large_response() -> ASGIResponse:
    refusal = {"error": "Too many large responses to this caller are in progress"}
    return json_response(refusal, 429, {"retry-after": "1"})


def text_response(body: str, status: int = 200) -> ASGIResponse:
    """Build a plain text response.

    :param body: the text.
    :param status: the HTTP status.
    """
    encoded = repair_text(body).encode()
    return ASGIResponse(
        body=encoded, media_type="text/plain", status_code=status, headers={_NOSNIFF: "nosniff"}
    )


def to_response(value: Any, request: Request[Any, Any, Any], status: int = 200) -> App:
    """Convert the return value of a user's function to a response.

    :param value: a response or an ASGI application (used unchanged), a string (sent as text), or
        any other value (sent as JSON).
    :param request: the request.
    :param status: the HTTP status for text and JSON.
    :raises TypeError: when the value cannot be encoded as JSON.
    """
    if isinstance(value, Response):
        return value.to_asgi_response(app=None, request=request)
    if callable(value):
        return value  # type: ignore[no-any-return]  # any ASGI application may answer
    return text_response(value, status) if isinstance(value, str) else json_response(value, status)


class StreamResponse:
    """A response that sends its body in chunks, as they are generated.

    The response may end with the last chunk, a disconnect or a cancellation. In each case,
    ``__call__`` closes the generator and ends its own tasks before it returns.

    :param chunks: the chunks of the body; the generator is closed at the end of the response.
    :param media_type: the content type.
    :param finally_: a function to call at the end, even if the generator was never started.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        media_type: str,
        finally_: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._chunks = chunks
        self._finally = finally_
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            (_NOSNIFF.encode(), b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body until its end or until the client disconnects.

        While a large chunk waits for the client, it counts toward the caller's limit. A chunk that
        would exceed the limit is not sent, and the body ends.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        send_task = asyncio.create_task(self._send(scope, send))
        disconnect_task = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait((send_task, disconnect_task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_tasks(send_task, disconnect_task)
            if self._finally is not None:  # a generator that never started runs no `finally`
                await self._finally()
        if not send_task.cancelled():
            send_task.result()

    async def _send(self, scope: Scope, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            async for chunk in chunks:
                if len(chunk) <= _PIECE_SIZE:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                elif not await _send_large_chunk(identify_caller(scope), chunk, send):
                    break
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextlib.asynccontextmanager
async def close_on_exit(events: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close ``events`` at the end of the block, if it is a generator.

    Nearly all agents return a generator, which keeps its resources while it is open. An agent may
    also return another iterator, which is not closed.

    :param events: the iterator.
    :returns: a context manager that yields ``events``.
    """
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _send_large_chunk(caller: str, chunk: bytes, send: Send) -> bool:
    """Send a chunk; return ``False`` if the caller's unsent chunks exceed the limit."""
    if not UNSENT_BYTES.try_acquire(caller, len(chunk)):
        return False
    try:
        await _send_pieces(chunk, send, is_last=False)
    finally:
        UNSENT_BYTES.release(caller, len(chunk))
    return True


async def _send_pieces(body: bytes, send: Send, *, is_last: bool) -> None:
    """Send bytes at the client's speed, so that the ASGI server does not copy all of them."""
    for position in range(0, len(body), _PIECE_SIZE):
        piece = body[position : position + _PIECE_SIZE]
        more_body = not is_last or position + _PIECE_SIZE < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more_body})


async def cancel_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the ``tasks`` that are running, and wait for all without raising their errors.

    :param tasks: at least one task.
    """
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # retrieved, so that the loop does not log it


async def _receive_nothing() -> Any:
    """Act as the ASGI receive callable of a response that reads nothing."""


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
