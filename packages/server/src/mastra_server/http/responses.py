"""Answers: JSON made by msgspec, and bodies that are sent piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse

from mastra_core.schema import dump
from mastra_server.http.asgi import App, Receive, Scope, Send

__all__ = ("StreamAnswer", "answer_of", "closing", "encode", "json_answer", "stop", "text_answer")


T = TypeVar("T")


def encode(value: Any) -> bytes:
    """``value`` as JSON on one line.

    :raises TypeError: when something in it has no JSON form.
    """
    return msgspec.json.encode(value, enc_hook=dump)


class _JsonAnswer(ASGIResponse):
    """Litestar's kind of answer without what it would work out for each: these are most of them."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self._body = body
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send it, without its body where only the head was asked for."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self._headers})
        body = b"" if scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def json_answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> ASGIResponse:
    """``body`` as a JSON answer."""
    return _JsonAnswer(encode(body), status, headers or {})


def text_answer(body: str, status: int = 200) -> ASGIResponse:
    """``body`` as a plain text answer."""
    return ASGIResponse(body=body, media_type="text/plain", status_code=status)


def answer_of(value: Any, request: Request[Any, Any, Any], status: int = 200) -> App:
    """What a user's function returned: an answer as it is, text as text, the rest as JSON.

    :raises TypeError: when it has no JSON form.
    """
    if isinstance(value, Response):
        return value.to_asgi_response(app=None, request=request)
    if callable(value):
        return value  # type: ignore[no-any-return]  # any ASGI application may answer
    return text_answer(value, status) if isinstance(value, str) else json_answer(value, status)


class StreamAnswer:
    """An answer whose body is sent as it is made.

    Whatever ends it (the last piece, the client leaving, a cancelled request), the generator is
    closed before the call returns, and nobody waits for a disconnect that never comes.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        media_type: str,
        finally_: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._pieces = pieces
        self._finally = finally_
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the client waits for."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stop(sending, leaving)
            if self._finally is not None:  # a generator that was not begun has no end either
                await self._finally()
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextlib.asynccontextmanager
async def closing(events: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close ``events`` at the end if it is a generator: a protocol that asks for an iterator gets
    a generator nearly always, and one left open keeps what it holds.
    """
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what still runs of ``tasks`` and wait for its end; nothing is raised."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain of it


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
