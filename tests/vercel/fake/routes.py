"""Which function answers what: `@route("GET", "projects/{id}", 9)`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tests.vercel.fake.call import Call, Refused

Handler = Callable[[Call], Any]
UNVERSIONED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    shape: re.Pattern[str]
    versions: frozenset[int]
    handler: Handler
    counts_as: str  # what a rate limit is kept for


_ROUTES: list[Route] = []


def route(method: str, pattern: str, *versions: int) -> Callable[[Handler], Handler]:
    """Let a function answer a path.

    :param pattern: without version; `{name}` is one part of the path.
    :param versions: those that are known to be answered; 0 is a path without version.
    """

    def keep(handler: Handler) -> Handler:
        shape = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))
        name = f"{method} /{pattern}"
        _ROUTES.append(
            Route(
                method=method,
                shape=shape,
                versions=frozenset(versions),
                handler=handler,
                counts_as=name,
            )
        )
        return handler

    return keep


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The route of a path, and the arguments in it; `/now/` in the older paths means nothing."""
    found = re.fullmatch(r"/(?:v(\d+)/)?(?:now/)?(.+?)/?", path)
    version, rest = (int(found[1] or UNVERSIONED), found[2]) if found else (UNVERSIONED, "")
    for item in _ROUTES:
        match = item.shape.fullmatch(rest)
        if match and item.method == method and version in item.versions:
            return item, {name: unquote(part) for name, part in match.groupdict().items()}
    raise Refused(404, "not_found", f"The requested endpoint {method} {path} does not exist")
