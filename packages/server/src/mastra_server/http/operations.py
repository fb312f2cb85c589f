"""One operation of the OpenAPI document for each handler, from what the handler declares.

A handler's decorator says it: ``body=`` and ``query=`` are the types that are read, ``answer=`` is
the type of the answer, ``stream="sse"`` or ``"records"`` that of a stream, ``errors=(409,)`` the
statuses beyond the usual ones. Its docstring is the description.
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

from mastra_server.http.paths import placed
from mastra_server.http.schemas import Chunk, ContextQuery, Error
from mastra_server.http.unsupported import documented

__all__ = ("Operation", "operations", "spelled")

STREAMS = {
    "sse": (
        "text/event-stream",
        "One event for each piece, the piece as JSON on one line, then `data: [DONE]`. What `id:` "
        "says is what to send as `Last-Event-ID`.",
    ),
    "records": ("text/plain", "A piece as JSON, then the byte 0x1E, for each."),
}
_REASONS = {
    400: "The request is not one that the operation takes.",
    401: "Nobody that the server knows.",
    402: "The account at the model's provider is used up.",
    403: "Known, and not allowed.",
    404: "There is no such thing.",
    409: "Not possible in its present state.",
    413: "The body is too large.",
    422: "The run would use more than it may, or its model's provider refuses it.",
    429: "Too much at once.",
    500: "It failed.",
    501: "The server does not do this, and says why.",
    502: "The model failed, or cannot be reached.",
    503: "Not now.",
    504: "It took too long.",
}
_HUMP = re.compile(r"_(\w)")
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@dataclasses.dataclass(frozen=True)
class Operation:
    """A handler under one method and path."""

    method: str
    path: str
    handler: HTTPRouteHandler
    guarded: bool
    limited: bool = False

    @property
    def documented(self) -> bool:
        """It says what it answers, and what it is for."""
        return bool({"answer", "stream"} & self.handler.opt.keys() and self.description)

    @property
    def description(self) -> str:
        """The docstring."""
        return inspect.getdoc(self.handler.fn) or ""

    @property
    def id(self) -> str:
        """The id the handler declares; a user's handler without one gets its module and function."""
        declared = self.handler.operation_id
        if isinstance(declared, str):
            end = self.path.rpartition("}/")[2]
            return declared.replace("{path}", re.sub(r"\W", "_", end))
        function = self.handler.fn
        return f"{function.__module__.rpartition('.')[2]}_{function.__name__.strip('_')}"

    @property
    def types(self) -> dict[str, Any]:
        """Every type that it refers to."""
        opt = self.handler.opt
        named: dict[str, Any] = {name: opt[name] for name in ("body", "answer") if name in opt}
        return {**named, "query": opt.get("query", ContextQuery), "error": Error, "chunk": Chunk}

    @property
    def errors(self) -> list[int]:
        """The statuses that it may answer instead of its own."""
        found = {400, 500, 504, *self.handler.opt.get("errors", ())}
        found |= {404} if "{" in self.path else set()
        found |= {413} if self.method in ("post", "put", "patch", "delete") else set()
        found |= {401, 403} if self.guarded else set()
        found |= {429} if self.limited else set()
        return sorted(found)

    def told(self, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
        """The operation, in the words of OpenAPI.

        :param schemas: for each of ``types``.
        """
        text = self.description
        told = {
            "operationId": self.id,
            "tags": [self.id.partition("_")[0]],
            "summary": text.partition("\n")[0].rstrip("."),
            "description": text,
            "parameters": [*self._path(), *_query(schemas["query"], components), *self._header()],
            "responses": self._responses(schemas),
        }
        if "body" in schemas:
            content = {"application/json": {"schema": schemas["body"]}}
            required = bool(_resolved(schemas["body"], components).get("required"))
            told["requestBody"] = {"required": required, "content": content}
        if self.guarded:
            told["security"] = [{"bearer": []}]
        return told

    def _path(self) -> Iterator[dict[str, Any]]:
        for name in _PARAMETER.findall(self.path):
            schema = {"type": "string", "minLength": 1}
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _header(self) -> Iterator[dict[str, Any]]:
        if self.handler.opt.get("stream") == "sse":
            yield {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}

    def _responses(self, schemas: dict[str, Any]) -> dict[str, Any]:
        responses = {"200": self._success(schemas)}
        for status in self.errors:
            content = {"application/json": {"schema": schemas["error"]}}
            if status == 404:  # noqa: PLR2004  # HTTP's own number
                content["text/plain"] = {"schema": {"type": "string"}}
            responses[str(status)] = {"description": _REASONS[status], "content": content}
        return responses

    def _success(self, schemas: dict[str, Any]) -> dict[str, Any]:
        stream = self.handler.opt.get("stream")
        if stream is None:
            content = {"application/json": {"schema": schemas.get("answer", {})}}
            return {"description": "Done.", "content": content}
        media_type, words = STREAMS[stream]
        piece = {"type": "string", "x-piece": schemas["chunk"]}
        event = {"type": "object", "properties": {"data": piece, "id": {"type": "string"}}}
        schema = event if stream == "sse" else piece
        content = {media_type: {"schema": schema}}
        if "answer" in schemas:  # the caller says which it wants
            content["application/json"] = {"schema": schemas["answer"]}
        return {"description": words, "content": content}


def operations(app: Litestar) -> Iterator[Operation]:
    """Every operation of ``app`` that is meant to be seen."""
    settings = app.state.mastra.server
    routed: set[tuple[str, str]] = set()
    closed, limited = settings.auth is not None, settings.rate_limit is not None
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            guarded = closed and handler.opt.get("requires_auth") is not False
            for method in handler.http_methods:
                if method not in ("OPTIONS", "HEAD") and handler.resolve_include_in_schema():
                    path = spelled(route.path)
                    routed.add((method, path))
                    yield Operation(method.lower(), path, handler, guarded, limited)
    for handler in placed(documented(), settings.api_prefix):
        (path,), (method,) = handler.paths, handler.http_methods
        if (method, spelled(path)) not in routed:
            yield Operation(method.lower(), spelled(path), handler, guarded=False, limited=limited)


def spelled(path: str) -> str:
    """A path of Litestar's in OpenAPI's spelling."""
    return _PARAMETER.sub(lambda found: "{" + _camel(found[1]) + "}", path)


def _camel(name: str) -> str:
    return _HUMP.sub(lambda found: found[1].upper(), name)


def _query(schema: dict[str, Any], components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    resolved = _resolved(schema, components)
    for name, each in resolved.get("properties", {}).items():
        kind = {key: value for key, value in each.items() if key not in ("default", "description")}
        told = {"name": name, "in": "query", "required": name in resolved["required"]}
        words = {"description": each["description"]} if "description" in each else {}
        yield {**told, **words, "schema": kind}


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found
