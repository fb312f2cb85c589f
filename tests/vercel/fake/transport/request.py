"""Requests to the API, responses and errors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tests.platform_fakes.faults import Fault

if TYPE_CHECKING:
    from tests.vercel.fake.routes.accounts import Token
    from tests.vercel.fake.state.platform_state import PlatformState


class ApiError(Exception):
    """An error response.

    :param extra: further fields of the error: `missing`, `limit`.
    """

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra

    @property
    def error(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, **self.extra}

    def to_response(self) -> Response:
        return Response(status=self.status, body={"error": self.error})


@dataclasses.dataclass(kw_only=True)
class Response:
    """A response.

    :param body: body to send as JSON; `None` for no body.
    :param raw: body to send unchanged, in place of `body`; an iterator is sent in chunks.
    """

    status: int = 200
    body: Any = None
    raw: bytes | Iterator[bytes] | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_fault(cls, fault: Fault) -> Response:
        return cls(status=fault.status, raw=fault.raw, headers=fault.headers)


@dataclasses.dataclass(kw_only=True)
class Request:
    """A parsed request; `scope` is the id of the team or user that it is about."""

    platform: PlatformState
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    content: bytes
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    token: Token | None = None
    scope: str = ""

    def __getitem__(self, name: str) -> str:
        """Return an argument of the path."""
        return self.arguments[name]

    def get_query(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return self.query.get(name, [default])[-1]

    def has_flag(self, name: str) -> bool:
        return self.get_query(name) in {"1", "true"}

    def get_int(self, name: str, default: int) -> int:
        try:
            return int(self.get_query(name) or default)
        except ValueError:
            raise ApiError(400, "bad_request", f"`{name}` should be a number") from None

    def parse_json(self) -> Any:
        """Parse the body; an empty body is an empty object."""
        try:
            return json.loads(self.content or b"{}")
        except ValueError:
            raise ApiError(400, "bad_request", "Invalid JSON") from None

    def parse_object(self) -> dict[str, Any]:
        """Parse the body, which must be an object."""
        body = self.parse_json()
        if not isinstance(body, dict):
            raise ApiError(400, "bad_request", "Invalid request: should be object", keyword="type")
        return body
