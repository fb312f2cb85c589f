"""Serve the application's OpenAPI document, and a page that shows the document."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Request
from litestar.response.base import ASGIResponse

from mastra_core import Mastra
from mastra_core.schema import dump
from mastra_server.http.handlers import get
from mastra_server.http.responses import json_response

if TYPE_CHECKING:
    from mastra_server.http.operations import Operation

__all__ = ("build_document", "get_openapi_routes")

_Request = Request[Any, Any, Any]
_REF = "#/components/schemas/{name}"
_POLICY = (
    "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)


@get("/api/openapi.json", include_in_schema=False)
async def _get_document(request: _Request) -> ASGIResponse:
    state = request.app.state
    if "openapi_document" not in state:
        state.openapi_document = build_document(request.app)  # the build takes up to 0.2 seconds
    return json_response(state.openapi_document)


@get("/api/reference", include_in_schema=False, requires_auth=False)
async def _get_reference_page() -> ASGIResponse:
    policy = {"content-security-policy": _POLICY}
    return ASGIResponse(body=_load_reference_page(), media_type="text/html", headers=policy)


def get_openapi_routes(mastra: Mastra) -> tuple[Any, ...]:
    """Return the routes of the OpenAPI document and its page; by default, none in production.

    :param mastra: the application, for ``Server(openapi=...)``.
    """
    enabled = mastra.server.openapi
    served = os.environ.get("MASTRA_DEV") == "true" if enabled is None else enabled
    return (_get_document, _get_reference_page) if served else ()


def build_document(app: Litestar) -> dict[str, Any]:
    """Build the OpenAPI 3.1 document of ``app``, with the user's own routes.

    :param app: the application of ``create_app``.
    :returns: the document, ready to be encoded as JSON.
    """
    from importlib.metadata import version

    from mastra_server.http.operations import iter_operations

    all_operations = list(iter_operations(app))
    schemas, definitions = _build_schemas(all_operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation, own in zip(all_operations, schemas, strict=True):
        paths.setdefault(operation.path, {})[operation.method] = operation.to_openapi(
            own, definitions
        )
    components: dict[str, Any] = {"schemas": _select_used(paths, definitions)}
    if app.state.mastra.server.auth is not None:
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mastra API", "version": version("mastra-server")},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def _build_schemas(operations: list[Operation]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schemas of each operation's types, and the components that they use."""
    types = [
        (index, name, type_)
        for index, each in enumerate(operations)
        for name, type_ in each.types.items()
    ]
    type_schemas, components = msgspec.json.schema_components(
        [type_ for _, _, type_ in types], schema_hook=lambda _: {}, ref_template=_REF
    )
    text = msgspec.json.encode([type_schemas, components], enc_hook=dump).decode()
    type_schemas, components = _complete_arrays(
        msgspec.json.decode(_publish_names(text, components))
    )
    schemas: list[dict[str, Any]] = [{} for _ in operations]
    for (index, name, _), schema in zip(types, type_schemas, strict=True):
        schemas[index][name] = schema
    return schemas, components


def _select_used(paths: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Return the ``components`` that the paths use; schemas of queries are inlined."""
    used: set[str] = set()
    references = _find_references(paths)
    while references:
        used |= references
        references = {
            name for each in references for name in _find_references(components[each])
        } - used
    return {name: schema for name, schema in components.items() if name in used}


def _find_references(value: Any) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", msgspec.json.encode(value).decode()))


def _complete_arrays(value: Any) -> Any:
    """Give every array schema an ``items``, because client generators require it."""
    if isinstance(value, list):
        return [_complete_arrays(each) for each in value]
    if not isinstance(value, dict):
        return value
    schema = {name: _complete_arrays(each) for name, each in value.items()}
    return {"items": {}, **schema} if schema.get("type") == "array" else schema


def _publish_names(text: str, components: dict[str, Any]) -> str:
    """Give public names to private types: ``tools._Body`` becomes ``ToolsBody``."""
    for name in sorted(components, key=len, reverse=True):
        *modules, local = re.split(r"[._]+", name) if "." in name else ["", name]
        public = (modules[-1].title() if modules else "") + local.strip("_")
        text = text.replace(f'"{name}"', f'"{public}"').replace(f'/{name}"', f'/{public}"')
    return text


@cache
def _load_reference_page() -> bytes:
    return Path(__file__).with_name("reference.html").read_bytes()
