"""The endpoints of a fake, by method and path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

Handler = Callable[[Any], Any]


class RouteTable:
    """The endpoints of one fake, in the order of their registration."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def route(self, method: str, pattern: str) -> Callable[[Handler], Handler]:
        """Register the handler of a path; `{name}` is one segment, and `{name*}` all the rest."""
        shape = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", pattern)
        shape = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", shape)

        def register(handler: Handler) -> Handler:
            self._routes.append((method, re.compile(shape), handler))
            return handler

        return register

    def find(self, method: str, path: str) -> tuple[Handler, Mapping[str, str]] | None:
        for known, shape, handler in self._routes:
            match = shape.fullmatch(path)
            if match and known == method:
                return handler, {name: unquote(text) for name, text in match.groupdict().items()}
        return None
