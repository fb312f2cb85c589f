"""KV namespaces, D1 databases, R2 buckets and queues."""

from __future__ import annotations

import uuid
from typing import Any

from tests.cloudflare.fake.routing import ApiError, CursorPage, Page, Request, route

_ACCOUNT = "/accounts/{account}"


def _create(request: Request, kind: str, name: str) -> str:
    items = request.platform.storage[kind]
    if name in items:
        raise ApiError(400, 10014, f"{kind}: the name {name!r} is already used.")
    items[name] = str(uuid.uuid4())
    return items[name]


@route("GET", f"{_ACCOUNT}/storage/kv/namespaces", "kv")
def list_namespaces(request: Request) -> Page:
    items = request.platform.storage["kv"].items()
    return request.select_page([{"id": key, "title": name} for name, key in items])


@route("POST", f"{_ACCOUNT}/storage/kv/namespaces", "kv")
def create_namespace(request: Request) -> Any:
    title = request.json["title"]
    return {"id": _create(request, "kv", title), "title": title}


@route("GET", f"{_ACCOUNT}/d1/database", "d1")
def list_databases(request: Request) -> Page:
    items = request.platform.storage["d1"].items()
    return request.select_page([{"uuid": key, "name": name} for name, key in items])


@route("POST", f"{_ACCOUNT}/d1/database", "d1")
def create_database(request: Request) -> Any:
    name = request.json["name"]
    return {"uuid": _create(request, "d1", name), "name": name}


@route("GET", f"{_ACCOUNT}/r2/buckets", "r2")
def list_buckets(request: Request) -> CursorPage:
    names = list(request.platform.storage["r2"])
    size = min(int(request.get_query("per_page", "20")), 1000)
    start = int(request.get_query("cursor", "0"))
    following = str(start + size) if start + size < len(names) else ""
    buckets = [{"name": name} for name in names[start : start + size]]
    return CursorPage(result={"buckets": buckets}, cursor=following)


@route("POST", f"{_ACCOUNT}/r2/buckets", "r2")
def create_bucket(request: Request) -> Any:
    name = request.json["name"]
    _create(request, "r2", name)
    return {"name": name}


@route("GET", f"{_ACCOUNT}/queues", "queues")
def list_queues(request: Request) -> Page:
    items = request.platform.storage["queues"].items()
    return request.select_page([{"queue_id": key, "queue_name": name} for name, key in items])


@route("POST", f"{_ACCOUNT}/queues", "queues")
def create_queue(request: Request) -> Any:
    name = request.json["queue_name"]
    return {"queue_id": _create(request, "queues", name), "queue_name": name}
