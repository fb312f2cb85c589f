"""Check recorded requests and responses against the swagger of npm's `@netlify/open-api`."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft4Validator

from tests.npm import ensure_installed
from tests.platform_fakes.recorded_request import RecordedRequest

PACKAGE = "@netlify/open-api@2.60.0"
BASE = "/api/v1"


def find_violations(requests: Iterable[RecordedRequest]) -> list[str]:
    """Return the violations of the contract, each once; log services are not in the contract."""
    known = [request for request in requests if request.path.startswith(BASE)]
    return sorted({text for request in known for text in _check(request)})


def _check(request: RecordedRequest) -> Iterator[str]:
    found = _find_operation(request.method, request.path.removeprefix(BASE))
    if found is None:
        yield f"{request.method} {request.path} is no operation"
        return
    pattern, operation, parameters = found
    place = f"{request.method} {pattern}"
    names = {item["name"] for item in parameters if item["in"] == "query"}
    if unknown := set(request.query) - names:
        yield f"{place}: unknown query {sorted(unknown)}"
    for item in parameters:
        if item["in"] == "body" and request.body is not None and "schema" in item:
            yield from _validate(f"{place} request", item["schema"], request.body)
    responses = operation["responses"]
    schema = responses.get(str(request.status), {}).get("schema")
    if request.status < 400 and str(request.status) not in responses:
        yield f"{place}: status {request.status} is not documented"
    if schema and request.response is not None:
        yield from _validate(f"{place} response", schema, request.response)


def _validate(place: str, schema: dict[str, Any], value: Any) -> Iterator[str]:
    strict_schema = _forbid_unknown(schema)
    for error in Draft4Validator(strict_schema).iter_errors(value):
        path = re.sub(r"\d+", "N", "/".join(map(str, error.absolute_path)))
        yield f"{place} {path}: {error.message[:200]}"


def _forbid_unknown(schema: Any) -> Any:
    """Refuse fields that an object with described fields does not have."""
    if isinstance(schema, list):
        return [_forbid_unknown(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if len(schema.get("allOf") or ()) == 1:
        return _forbid_unknown(schema["allOf"][0])
    strict_schema = {name: _forbid_unknown(item) for name, item in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and "allOf" not in schema:
        strict_schema.setdefault("additionalProperties", False)
    return strict_schema


def _find_operation(method: str, path: str) -> tuple[str, Any, list[Any]] | None:
    for pattern, shape, operations in _load_paths():
        if shape.fullmatch(path) and method.lower() in operations:
            operation = operations[method.lower()]
            shared = operations.get("parameters") or []
            return pattern, operation, [*shared, *(operation.get("parameters") or [])]
    return None


@functools.cache
def _load_paths() -> list[tuple[str, re.Pattern[str], Any]]:
    directory = ensure_installed(PACKAGE) / "node_modules/@netlify/open-api"
    swagger = json.loads((directory / "dist/swagger.json").read_text(encoding="utf-8"))
    paths = []
    for pattern, operations in swagger["paths"].items():
        shape = re.sub(r"\{(\w+)\}", lambda name: _get_shape(name[1]), pattern)
        paths.append((pattern, re.compile(shape), operations))
    # A path without a parameter goes first: `/sites` before `/{account_slug}`.
    return sorted(paths, key=lambda item: item[0].count("{"))


def _get_shape(name: str) -> str:
    return ".+" if name == "path" else "[^/]+"
