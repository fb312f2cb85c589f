"""Define simple ASGI types for the layers around Litestar.

Litestar's own types also cover websockets, but the outermost layer passes on only HTTP requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ("App", "Message", "Receive", "Scope", "Send")

Scope = Any  # a mapping; Litestar uses typed dictionaries, these layers plain ones
Message = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
