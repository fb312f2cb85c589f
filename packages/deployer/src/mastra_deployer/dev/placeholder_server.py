"""Answer all requests with the error while no version of the app works."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

from mastra_deployer.dev import middleware_child
from mastra_deployer.dev.app_error import AppProblem
from mastra_deployer.dev.error_page import render_page, render_problem_details, render_redacted_page
from mastra_deployer.dev.local_access_child import LocalAccess

__all__ = ("PlaceholderServer",)

_STATUS = 503
_REASONS = {200: "OK", 403: "Forbidden", _STATUS: "Service Unavailable"}
_LIMIT = 65536  # bytes of a request's head
_HEAD_TIMEOUT = 5  # seconds for the head to arrive


class PlaceholderServer:
    """A server in the parent process, independent of the project's Python.

    :param access: which hosts and web pages may send requests.
    """

    def __init__(self, access: LocalAccess) -> None:
        self._access = access
        self._server: asyncio.Server | None = None
        self._problem = AppProblem(message="")
        self._number = ""

    async def show(self, listener: socket.socket, problem: AppProblem, number: str) -> None:
        """Answer every request with the given error from now on.

        :param listener: the app's socket.
        :param problem: the problem to show.
        :param number: the number of the problem; a page reloads when the number changes.
        """
        self._problem, self._number = problem, number
        if self._server is None:
            self._server = await asyncio.start_server(
                self._handle, sock=listener.dup(), limit=_LIMIT, backlog=2048
            )

    def stop(self) -> None:
        """Accept no more requests, and answer the accepted requests."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_TIMEOUT)
            writer.write(self._build_response(head.decode("latin-1"), writer))
            await writer.drain()
            writer.write_eof()
            await self._discard_body(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client disconnected or sent no valid request
        finally:
            writer.close()

    async def _discard_body(self, reader: asyncio.StreamReader) -> None:
        """Read a whole body, because closing with unread bytes would drop the response."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while await reader.read(_LIMIT):
                    pass

    def _build_response(self, head: str, writer: asyncio.StreamWriter) -> bytes:
        request, *lines = head.split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines if line]
        method, _, rest = request.partition(" ")
        problem = self._access.find_problem(method, pairs)
        if problem:
            status, kind, text = 403, "application/json", json.dumps({"error": problem})
        else:
            headers = {name.strip().lower(): value.strip() for name, value in pairs}
            path = rest.partition(" ")[0].partition("?")[0]
            client = str(writer.get_extra_info("peername")[0])
            status, kind, text = self._build_content(path, headers, client)
        body = text.encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
            f"Content-Security-Policy: {LocalAccess.frame_policy}\r\n"
            "Retry-After: 1\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (b"" if method == "HEAD" else body)

    def _build_content(
        self, path: str, headers: dict[str, str], client: str
    ) -> tuple[int, str, str]:
        if path == middleware_child.PROBE:
            return 200, "application/json", json.dumps({"problem": self._number})
        is_local = self._access.is_loopback_request(client, headers.get("host", ""))
        if "text/html" in headers.get("accept", ""):
            if is_local:
                page = render_page(self._problem, self._number, has_version=False)
            else:
                page = render_redacted_page(self._number)
            return _STATUS, "text/html; charset=utf-8", page
        details = render_problem_details(self._problem if is_local else None, _STATUS)
        return _STATUS, "application/problem+json", details
