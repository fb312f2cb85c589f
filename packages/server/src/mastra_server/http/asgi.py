"""The types of ASGI, as loose as the layers around Litestar need them.

Litestar's own tell HTTP from websockets at every step; only HTTP comes past the outermost layer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ("App", "Message", "Receive", "Scope", "Send")

Scope = Any  # a mapping; Litestar wants its typed dictionaries, our layers plain ones
Message = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
