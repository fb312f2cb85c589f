"""The API over HTTP: one request, read, authorised, counted and answered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.vercel.fake import (  # noqa: F401  # being imported is how they become routes
    aliases,
    checks,
    creating,
    custom_environments,
    deployments,
    env_vars,
    events,
    files,
    observability,
    projects,
    promotion,
    protection,
    rolling,
    runtime_logs,
)
from tests.vercel.fake.accounts import authorise
from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.routes import find
from tests.vercel.fake.talk import Talk
from tests.vercel.fake.world import World

READS = ("GET", "HEAD", "OPTIONS")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came, and how it went; of its headers only the names are kept.

    :param body: what was sent, where it was JSON.
    :param answer: what was answered, where it was JSON.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: tuple[str, ...]
    size: int
    status: int
    body: Any = None
    answer: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


def serve(world: World, keep: Callable[[Request], None]) -> Callable[..., object]:
    """What answers the connections to the API's port."""

    class Api(Talk):
        def reply(self, content: bytes) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query, keep_blank_values=True)
            call = Call(
                world=world,
                method=self.command,
                path=address.path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                content=content,
            )
            answer = _answer(call)
            keep(_kept(call, answer))
            raw = answer.raw if answer.raw is not None else _json(answer.body)
            typed = {"content-type": "application/json; charset=utf-8"}
            moment = f"iad1::fake-{time.time_ns()}"
            self.send(answer.status, {**typed, "x-vercel-id": moment, **answer.headers}, raw)

    def talk(connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            Api(connection, address)

    return talk


def _answer(call: Call) -> Answer:
    fault = call.world.faults.take(call.method, call.path)
    if fault is not None:
        return fault.answer()
    headers: Mapping[str, str] = {}
    try:
        found, call.arguments = find(call.method, call.path)
        with call.world.lock:
            headers = call.world.limits.count(found.counts_as)
            authorise(call)
            if call.world.refusing and call.method not in READS:
                raise Refused(400, "bad_request", call.world.refusing)
            result = found.handler(call)
    except Refused as refused:
        answer = refused.answer()
        headers = {**headers, **call.world.limits.refusal_headers(refused)}
    else:
        answer = result if isinstance(result, Answer) else Answer(body=result)
    return dataclasses.replace(answer, headers={**headers, **answer.headers})


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _kept(call: Call, answer: Answer) -> Request:
    return Request(
        method=call.method,
        path=call.path,
        query=call.query,
        headers=tuple(sorted(call.headers)),
        size=len(call.content),
        status=answer.status,
        body=_read(call.content) if "json" in call.headers.get("content-type", "") else None,
        answer=answer.body,
    )


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
