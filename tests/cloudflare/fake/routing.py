"""Requests, responses, errors, and the table of endpoints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tests.cloudflare.fake.state import Platform, Worker
from tests.platform_fakes.route_table import Handler, RouteTable

_TABLE = RouteTable()


class ApiError(Exception):
    """An error response, in Cloudflare's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "success": False,
            "errors": [{"code": code, "message": message}],
            "messages": [],
            "result": None,
        }


@dataclasses.dataclass(kw_only=True)
class Page:
    """A part of a list, with the number of all items."""

    items: list[Any]
    total: int
    number: int
    size: int


@dataclasses.dataclass(kw_only=True)
class CursorPage:
    """A part of a list whose next part has a cursor."""

    result: Any
    cursor: str


@dataclasses.dataclass(kw_only=True)
class Request:
    platform: Platform
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    content: bytes
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.arguments[name]

    @property
    def json(self) -> Any:
        if "json" not in self.headers.get("content-type", ""):
            raise ApiError(415, 10002, "the content type is not JSON")
        return json.loads(self.content)

    @property
    def worker(self) -> Worker:
        worker = self.platform.workers.get(self["name"])
        if worker is None:
            raise ApiError(404, 10007, "This Worker does not exist on your account.")
        return worker

    def get_query(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def select_page(self, items: list[Any]) -> Page:
        size, number = int(self.get_query("per_page", "20")), int(self.get_query("page", "1"))
        part = items[(number - 1) * size : number * size]
        return Page(items=part, total=len(items), number=number, size=size)


_NEEDED: dict[Handler, str] = {}


def route(method: str, pattern: str, permission: str = "scripts") -> Any:
    """Register the handler of a path below the account, which needs a permission of the token."""

    def register(handler: Handler) -> Handler:
        _NEEDED[handler] = permission
        return _TABLE.route(method, pattern)(handler)

    return register


def find_route(method: str, path: str) -> tuple[Handler, Mapping[str, str], str]:
    """Return the handler, the parts of the path, and the permission that it needs."""
    found = _TABLE.find(method, path)
    if found is None:
        raise ApiError(404, 7003, f"Could not route to {path}, perhaps your object is invalid?")
    return (*found, _NEEDED[found[0]])
