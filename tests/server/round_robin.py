"""A load balancer that sends each request to the next server, whatever it is about."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import httpx

HOP_BY_HOP = {b"connection", b"transfer-encoding", b"keep-alive", b"content-length", b"host"}


class RoundRobin:
    """An ASGI application that passes requests on to several servers in turn."""

    def __init__(self, urls):
        self._urls = itertools.cycle(urls)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        request = self._client.build_request(
            scope["method"],
            f"{next(self._urls)}{scope['raw_path'].decode()}{query}",
            headers=[pair for pair in scope["headers"] if pair[0] not in HOP_BY_HOP],
            content=body,
        )
        passing = asyncio.create_task(self._pass_on(request, send))
        leaving = asyncio.create_task(receive())  # a client that leaves ends the request
        await asyncio.wait([passing, leaving], return_when=asyncio.FIRST_COMPLETED)
        for task in (passing, leaving):
            task.cancel()
        await asyncio.wait([passing, leaving])

    async def _pass_on(self, request, send):
        response = await self._client.send(request, stream=True)
        try:
            await self._pass_response_on(response, send)
        finally:
            await response.aclose()

    async def _pass_response_on(self, response, send):
        headers = [pair for pair in response.headers.raw if pair[0].lower() not in HOP_BY_HOP]
        start = {"type": "http.response.start", "status": response.status_code}
        await send({**start, "headers": headers})
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _run_lifespan(self, receive, send):
        await receive()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as self._client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        with contextlib.suppress(RuntimeError):
            await send({"type": "lifespan.shutdown.complete"})
