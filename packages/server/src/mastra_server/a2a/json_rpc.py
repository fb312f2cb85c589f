"""The envelope of A2A's JSON-RPC: requests, results and errors."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Request

from mastra_core.errors import InvalidInput, RequestError
from mastra_server.http.request_body import MAX_ID_LENGTH

__all__ = (
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "A2aError",
    "RpcRequest",
    "build_error",
    "build_result",
    "convert_error",
    "read_version",
)

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
_UNKNOWN_VERSION = -32009
_VERSIONS = ("0.3", "1.0")
_CONFLICT = 409
_BAD_REQUEST = 400

_RpcId = str | int | float | None


class RpcRequest(msgspec.Struct):
    """A call of a method of A2A."""

    jsonrpc: Literal["2.0"]
    method: str
    id: _RpcId = None
    params: Any = None


class A2aError(Exception):
    """An error that the protocol reports in a response with the status 200.

    :param code: the code of JSON-RPC or A2A.
    :param message: one sentence that describes the error.
    :param data: further data.
    """

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def build_result(request: RpcRequest, result: Any) -> dict[str, Any]:
    """Build the response to a call.

    :param request: the call.
    :param result: the result.
    """
    return {"jsonrpc": "2.0", "id": _limit_id(request.id), "result": result}


def build_error(request: RpcRequest | None, error: A2aError) -> dict[str, Any]:
    """Build the response to a call that failed.

    :param request: the call; ``None`` if it could not be read.
    :param error: the error.
    """
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "id": _limit_id(request.id) if request else None, "error": body}


def convert_error(error: RequestError) -> A2aError | None:
    """Convert an error of a request to an error of the protocol.

    :param error: the error.
    :returns: the error of the protocol; ``None`` for an error that has its own HTTP status, such as
        a missing permission or an exceeded limit.
    """
    if error.status == _CONFLICT:
        return A2aError(INVALID_REQUEST, error.message)
    if error.status != _BAD_REQUEST:
        return None
    issues = error.issues if isinstance(error, InvalidInput) else ()
    data = {"issues": [{"field": field, "message": message} for field, message in issues]}
    return A2aError(INVALID_PARAMS, error.message, data if issues else None)


def read_version(request: Request[Any, Any, Any]) -> str:
    """Read the version of the protocol from the header ``A2A-Version``; by default ``0.3``.

    :param request: the request.
    :raises A2aError: for a version that is not supported.
    """
    version = request.headers.get("a2a-version", "").strip() or _VERSIONS[0]
    if version not in _VERSIONS:
        name = version[:MAX_ID_LENGTH]
        raise A2aError(_UNKNOWN_VERSION, f"Version not supported: {name}", {"version": name})
    return version


def _limit_id(value: _RpcId) -> _RpcId:
    return value[:MAX_ID_LENGTH] if isinstance(value, str) else value
