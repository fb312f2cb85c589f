"""One request to the API, and what is answered."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.vercel.fake.routes.accounts import Token
    from tests.vercel.fake.state.platform_state import PlatformState


class ApiError(Exception):
    """An answer that is no success.

    :param extra: what stands beside code and message in the error: `missing`, `limit`.
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
    """What goes back.

    :param body: to be sent as JSON; `None` sends nothing.
    :param raw: sent as it is, in place of `body`; an iterator is sent piece by piece.
    """

    status: int = 200
    body: Any = None
    raw: bytes | Iterator[bytes] | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class Request:
    """A request, read; `scope` is the id of the team or user it is about."""

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
        """An argument of the path."""
        return self.arguments[name]

    def get_query(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.query.get(name, [default])[-1]

    def has_flag(self, name: str) -> bool:
        return self.get_query(name) in {"1", "true"}

    def get_int(self, name: str, default: int) -> int:
        try:
            return int(self.get_query(name) or default)
        except ValueError:
            raise ApiError(400, "bad_request", f"`{name}` should be a number") from None

    def parse_json(self) -> Any:
        """The body; an empty one is an empty object."""
        try:
            return json.loads(self.content or b"{}")
        except ValueError:
            raise ApiError(400, "bad_request", "Invalid JSON") from None

    def parse_object(self) -> dict[str, Any]:
        """The body, which has to be an object."""
        body = self.parse_json()
        if not isinstance(body, dict):
            raise ApiError(400, "bad_request", "Invalid request: should be object", keyword="type")
        return body
