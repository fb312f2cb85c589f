"""What a fake records of each request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """A request and its response; only the names of its headers are kept.

    :param body: the request's JSON body, if it has one.
    :param response: the response's JSON body, if it has one.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: tuple[str, ...]
    size: int
    status: int
    body: Any = None
    response: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"
