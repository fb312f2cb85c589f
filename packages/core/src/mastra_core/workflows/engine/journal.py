"""What the interpreter needs of whoever remembers a run.

A journal that outlives its process records each call under its key. When the interpreter runs
again over such a journal, what was recorded is given back and nothing is called twice, so the
run goes on where it stopped. Keys depend on the description alone, never on what ran first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunEvent

__all__ = ("Journal",)


class Journal(Protocol):
    """The memory of one run."""

    @property
    def run_id(self) -> str:
        """The run's id."""

    async def step(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """What came of ``call``, which is made once a run for each ``key``."""

    async def wait(self, key: str) -> object:
        """The data, JSON builtins, that somebody brings for ``key``."""

    async def sleep(self, key: str, until: float) -> None:
        """Return at ``until``, seconds since the epoch, as it was when ``key`` was first slept."""

    async def emit(self, key: str, event: RunEvent) -> None:
        """Remember what happened and tell whoever watches, once for each ``key``.

        A ``RunIdle`` is not worth telling where something of what is waited for is there already:
        its key is ``idle:`` and the keys that are waited for, with ``|`` between.
        """

    async def cancel(self) -> None:
        """End the run from outside; what it waits for is abandoned."""
