"""The OpenAPI document of an application, and a page that shows it; both made when asked for."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Request, get
from litestar.response.base import ASGIResponse

from mastra_core import Mastra
from mastra_core.schema import dump
from mastra_server.http.responses import json_answer

if TYPE_CHECKING:
    from mastra_server.http.operations import Operation

__all__ = ("document", "openapi_routes")

_Request = Request[Any, Any, Any]
_REF = "#/components/schemas/{name}"
_POLICY = (
    "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)


@get("/api/openapi.json", include_in_schema=False)
async def _document(request: _Request) -> ASGIResponse:
    return json_answer(document(request.app))


@get("/api/reference", include_in_schema=False, requires_auth=False)
async def _page() -> ASGIResponse:
    policy = {"content-security-policy": _POLICY}
    return ASGIResponse(body=_html(), media_type="text/html", headers=policy)


def openapi_routes(mastra: Mastra) -> tuple[Any, ...]:
    """The routes of the document and its page; none in production unless asked for."""
    wanted = mastra.server.openapi
    shown = os.environ.get("MASTRA_DEV") == "true" if wanted is None else wanted
    return (_document, _page) if shown else ()


def document(app: Litestar) -> dict[str, Any]:
    """The OpenAPI 3.1 document of ``app``: every operation, those of its own routes too."""
    from importlib.metadata import version

    from mastra_server.http.operations import operations

    found = list(operations(app))
    schemas, components = _schemas(found)
    paths: dict[str, dict[str, Any]] = {}
    for operation, own in zip(found, schemas, strict=True):
        paths.setdefault(operation.path, {})[operation.method] = operation.told(own, components)
    parts: dict[str, Any] = {"schemas": _used(paths, components)}
    if app.state.mastra.server.auth is not None:
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mastra API", "version": version("mastra-server")},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": parts,
    }


def _schemas(found: list[Operation]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schemas of each operation's types, and those they refer to."""
    named = [
        (index, name, type_)
        for index, each in enumerate(found)
        for name, type_ in each.types.items()
    ]
    made, components = msgspec.json.schema_components(
        [type_ for _, _, type_ in named], schema_hook=lambda _: {}, ref_template=_REF
    )
    text = msgspec.json.encode([made, components], enc_hook=dump).decode()
    made, components = _spelled_out(msgspec.json.decode(_public(text, components)))
    schemas: list[dict[str, Any]] = [{} for _ in found]
    for (index, name, _), schema in zip(named, made, strict=True):
        schemas[index][name] = schema
    return schemas, components


def _used(paths: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Those of ``components`` that are referred to; queries are not."""
    used: set[str] = set()
    found = _references(paths)
    while found:
        used |= found
        found = {name for each in found for name in _references(components[each])} - used
    return {name: schema for name, schema in components.items() if name in used}


def _references(value: Any) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", msgspec.json.encode(value).decode()))


def _spelled_out(value: Any) -> Any:
    """Arrays say what is in them, even if it is anything: generators of clients ask."""
    if isinstance(value, list):
        return [_spelled_out(each) for each in value]
    if not isinstance(value, dict):
        return value
    whole = {name: _spelled_out(each) for name, each in value.items()}
    return {"items": {}, **whole} if whole.get("type") == "array" else whole


def _public(text: str, components: dict[str, Any]) -> str:
    """Names of private types as a stranger may read them: ``tools._Body`` is ``ToolsBody``."""
    for name in sorted(components, key=len, reverse=True):
        *modules, own = re.split(r"[._]+", name) if "." in name else ["", name]
        nice = (modules[-1].title() if modules else "") + own.strip("_")
        text = text.replace(f'"{name}"', f'"{nice}"').replace(f'/{name}"', f'/{nice}"')
    return text


@cache
def _html() -> bytes:
    return Path(__file__).with_name("reference.html").read_bytes()
