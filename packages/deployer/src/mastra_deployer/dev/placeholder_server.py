"""Answers while there is no version of the app that could: the error, to everybody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

from mastra_deployer.dev import middleware_child as front_child
from mastra_deployer.dev.app_error import Problem
from mastra_deployer.dev.error_page import problem_json, render, render_far

__all__ = ("StandIn",)

_STATUS = 503
_LIMIT = 65536  # bytes of a request's head
_PATIENCE = 5  # seconds for it to arrive


class StandIn:
    """A server of one answer, in the parent, which needs nothing of the project's Python."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._problem = Problem(message="")
        self._number = ""

    async def show(self, listener: socket.socket, problem: Problem, number: str) -> None:
        """Answer every request with ``problem`` from now on."""
        self._problem, self._number = problem, number
        if self._server is None:
            self._server = await asyncio.start_server(
                self._answer, sock=listener.dup(), limit=_LIMIT, backlog=2048
            )

    def stop(self) -> None:
        """Take no more requests; those that came are still answered."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
            writer.write(self._response(head.decode("latin-1"), writer))
            await writer.drain()
            writer.write_eof()
            await self._swallow(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or asks nothing
        finally:
            writer.close()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        """Read a body to its end: closed on unread bytes, the answer would be lost with them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while await reader.read(_LIMIT):
                    pass

    def _response(self, head: str, writer: asyncio.StreamWriter) -> bytes:
        request, *lines = head.split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        status, kind, text = self._content(path, headers, str(writer.get_extra_info("peername")[0]))
        body = text.encode()
        reason = "OK" if status == 200 else "Service Unavailable"  # noqa: PLR2004  # HTTP
        answer = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
            "Retry-After: 1\r\nConnection: close\r\n\r\n"
        )
        return answer.encode() + (b"" if method == "HEAD" else body)

    def _content(self, path: str, headers: dict[str, str], client: str) -> tuple[int, str, str]:
        if path == front_child.PROBE:
            return 200, "application/json", json.dumps({"problem": self._number})
        near = front_child.is_own(client, headers.get("host", ""))  # type: ignore[no-untyped-call]  # it runs in other Pythons
        if "text/html" in headers.get("accept", ""):
            page = render(self._problem, self._number, kept=False)
            return _STATUS, "text/html; charset=utf-8", page if near else render_far(self._number)
        told = problem_json(self._problem if near else None, _STATUS)
        return _STATUS, "application/problem+json", told
