"""Define the state of the application, which wakes waiting streams when the server drains."""

from __future__ import annotations

from typing import Any

from litestar.datastructures import State

__all__ = ("ServerState",)


class ServerState(State):
    """The state that all requests share.

    A reader of a durable run and a listener of a thread may wait for a long time. Setting
    ``draining`` wakes the waiting readers and listeners, so that their streams end. Any thread and
    any signal handler may set ``draining``. ``loop`` is the event loop of the streams while the
    server runs.
    """

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        loop = self.get("loop")
        if key == "draining" and value and loop is not None:
            loop.call_soon_threadsafe(self._wake_readers)

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def _wake_readers(self) -> None:
        self.live_runs.wake_readers()
        self.thread_runs.wake_listeners()
