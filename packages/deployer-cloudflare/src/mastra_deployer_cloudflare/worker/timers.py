"""Make Pyodide's event loop accept a timer whose time has already passed.

Other event loops immediately call a timer whose time has passed, but Pyodide's loop raises
``ValueError``. If a short delay passes before the loop receives the timer, ``asyncio.timeout``
fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ("accept_past_times",)


def accept_past_times() -> None:
    """Patch the event loop, whose ``call_at`` would otherwise fail for a time in the past."""
    from pyodide.webloop import WebLoop

    original = WebLoop.call_later

    def call_later(
        self: Any, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> Any:
        return original(self, max(delay, 0), callback, *args, context=context)

    WebLoop.call_later = call_later
