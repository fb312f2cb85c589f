"""Describe each handler as an operation of the OpenAPI document.

An operation is built from the arguments of the handler's decorator: ``body=`` and ``query=`` are
the types of the input, and ``response=`` is the type of the response. ``stream="sse"`` or
``stream="records"`` is the format of a streamed response. ``errors=(409,)`` lists additional
statuses. The text of ``empty="..."`` describes when the response is a 204 without a body.
``operation_id=`` is the id. If a handler has several paths, ``{path}`` in the id is replaced with
the end of the path. The docstring of the handler is the description.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from mastra_server.http.paths import mount_handlers
from mastra_server.http.schemas import Chunk, ContextQuery, Error
from mastra_server.http.unsupported_routes import build_documented_handlers

__all__ = ("Operation", "iter_operations")

STREAM_FORMATS = {
    "sse": (
        "text/event-stream",
        "One event for each chunk: the chunk as JSON on one line. The last event is `data: "
        "[DONE]`. To continue after an event, send its `id:` as `Last-Event-ID`.",
    ),
    "records": ("text/plain", "Each chunk as JSON, followed by the byte 0x1E."),
}
_REASONS = {
    400: "The request is invalid.",
    401: "The request has no valid credentials.",
    402: "The account at the model's provider has no credit left.",
    403: "The caller may not do this.",
    404: "The resource does not exist.",
    409: "The resource's present state does not allow this.",
    413: "The body is too large.",
    415: "The body's content type is not JSON.",
    422: "The run would exceed its usage limits, or the model's provider refused the request.",
    429: "Too many requests or active runs.",
    500: "The server failed.",
    501: "The server does not support this operation. The error says why.",
    502: "The model failed, or cannot be reached.",
    503: "The server does not accept requests at the moment.",
    504: "The response took too long.",
}
_SNAKE_LETTER = re.compile(r"_(\w)")
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@dataclasses.dataclass(frozen=True)
class Operation:
    """A handler with one method and one path.

    :param method: the HTTP method in lower case.
    :param path: the path in OpenAPI's syntax.
    :param handler: Litestar's handler.
    :param requires_auth: whether the caller must authenticate.
    :param rate_limited: whether the application limits the rate of requests.
    """

    method: str
    path: str
    handler: HTTPRouteHandler
    requires_auth: bool
    rate_limited: bool = False

    @property
    def description(self) -> str:
        """The docstring of the handler."""
        return inspect.getdoc(self.handler.fn) or ""

    @property
    def id(self) -> str:
        """The declared id, or the names of the module and function of a user's handler."""
        declared = self.handler.operation_id
        if isinstance(declared, str):
            end = self.path.rpartition("}/")[2]
            return declared.replace("{path}", re.sub(r"\W", "_", end))
        function = self.handler.fn
        return f"{function.__module__.rpartition('.')[2]}_{function.__name__.strip('_')}"

    @property
    def types(self) -> dict[str, Any]:
        """The types of body, response, query, error and chunk."""
        opt = self.handler.opt
        declared: dict[str, Any] = {name: opt[name] for name in ("body", "response") if name in opt}
        return {**declared, "query": opt.get("query", ContextQuery), "error": Error, "chunk": Chunk}

    @property
    def errors(self) -> list[int]:
        """The error statuses of the operation, in ascending order."""
        statuses = {400, 500, 504, *self.handler.opt.get("errors", ())}
        statuses |= {404} if "{" in self.path else set()
        statuses |= {413} if self.method in ("post", "put", "patch", "delete") else set()
        statuses |= {415} if "body" in self.handler.opt else set()
        statuses |= {401, 403} if self.requires_auth else set()
        statuses |= {429} if self.rate_limited else set()
        return sorted(statuses)

    def to_openapi(self, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
        """Return the operation as an OpenAPI object.

        :param schemas: the schemas of ``types``, by the names of the types.
        :param components: the schemas that the schemas of ``types`` refer to, by name.
        :returns: the OpenAPI operation object.
        """
        text = self.description
        operation = {
            "operationId": self.id,
            "tags": [self.id.partition("_")[0]],
            "summary": text.partition("\n")[0].rstrip("."),
            "description": text,
            "parameters": [
                *self._iter_path_parameters(),
                *_iter_query_parameters(schemas["query"], components),
                *self._iter_header_parameters(),
            ],
            "responses": self._build_responses(schemas),
        }
        if "body" in schemas:
            content = {"application/json": {"schema": schemas["body"]}}
            required = bool(_resolve_reference(schemas["body"], components).get("required"))
            operation["requestBody"] = {"required": required, "content": content}
        if self.requires_auth:
            operation["security"] = [{"bearer": []}]
        return operation

    def _iter_path_parameters(self) -> Iterator[dict[str, Any]]:
        for name in _PARAMETER.findall(self.path):
            schema = {"type": "string", "minLength": 1}
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _iter_header_parameters(self) -> Iterator[dict[str, Any]]:
        if self.handler.opt.get("stream") == "sse":
            yield {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}

    def _build_responses(self, schemas: dict[str, Any]) -> dict[str, Any]:
        responses = {"200": self._build_success(schemas)}
        if empty := self.handler.opt.get("empty"):
            responses["204"] = {"description": empty}
        for status in self.errors:
            content = {"application/json": {"schema": schemas["error"]}}
            if status == 404:  # noqa: PLR2004  # HTTP's own number
                content["text/plain"] = {"schema": {"type": "string"}}
            responses[str(status)] = {"description": _REASONS[status], "content": content}
        return responses

    def _build_success(self, schemas: dict[str, Any]) -> dict[str, Any]:
        stream = self.handler.opt.get("stream")
        if stream is None:
            content = {"application/json": {"schema": schemas.get("response", {})}}
            return {"description": "Done.", "content": content}
        media_type, description = STREAM_FORMATS[stream]
        chunk = {"type": "string", "x-piece": schemas["chunk"]}
        event = {"type": "object", "properties": {"data": chunk, "id": {"type": "string"}}}
        schema = event if stream == "sse" else chunk
        content = {media_type: {"schema": schema}}
        if "response" in schemas:  # the request selects one of the two
            content["application/json"] = {"schema": schemas["response"]}
        return {"description": description, "content": content}


def iter_operations(app: Litestar) -> Iterator[Operation]:
    """Yield every operation of ``app`` that belongs in the document.

    :param app: the application of ``create_app``.
    :returns: the operations of the routes, followed by the unsupported operations.
    """
    settings = app.state.mastra.server
    routed: set[tuple[str, str]] = set()
    has_auth, rate_limited = settings.auth is not None, settings.rate_limit is not None
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            requires_auth = has_auth and handler.opt.get("requires_auth") is not False
            for method in handler.http_methods:
                if method not in ("OPTIONS", "HEAD") and handler.resolve_include_in_schema():
                    path = _to_openapi_path(route.path)
                    routed.add((method, path))
                    yield Operation(method.lower(), path, handler, requires_auth, rate_limited)
    for handler in mount_handlers(build_documented_handlers(), settings.api_prefix):
        (path,), (method,) = handler.paths, handler.http_methods
        if (method, _to_openapi_path(path)) not in routed:
            yield Operation(
                method.lower(),
                _to_openapi_path(path),
                handler,
                requires_auth=False,
                rate_limited=rate_limited,
            )


def _to_openapi_path(path: str) -> str:
    """Convert a path like ``/agents/{agent_id:str}`` to one like ``/agents/{agentId}``."""
    return _PARAMETER.sub(lambda match: "{" + _to_camel_case(match[1]) + "}", path)


def _to_camel_case(name: str) -> str:
    return _SNAKE_LETTER.sub(lambda match: match[1].upper(), name)


def _iter_query_parameters(
    schema: dict[str, Any], components: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    resolved = _resolve_reference(schema, components)
    for name, each in resolved.get("properties", {}).items():
        kind = {key: value for key, value in each.items() if key not in ("default", "description")}
        parameter = {"name": name, "in": "query", "required": name in resolved["required"]}
        description = {"description": each["description"]} if "description" in each else {}
        yield {**parameter, **description, "schema": kind}


def _resolve_reference(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    component: dict[str, Any] = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return component
