"""What is done to its end, whatever happens to who asked for it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike
from mastra_core.memory.titles import TitleGenerator

if TYPE_CHECKING:
    import asyncio

__all__ = ("TitleTask", "run_to_completion")

_going: set[asyncio.Task[Any]] = set()  # a loop itself holds its tasks only weakly


async def run_to_completion(work: Coroutine[Any, Any, None]) -> None:
    """Wait for ``work``, which goes on when the caller is cancelled."""
    import asyncio

    task = asyncio.ensure_future(work)
    _going.add(task)
    task.add_done_callback(_going.discard)
    await asyncio.shield(task)


class TitleTask:
    """A title that is made while the run goes on, so that it takes no time of its own."""

    def __init__(self) -> None:
        self._task: asyncio.Task[str] | None = None

    def start(self, generator: TitleGenerator, run_input: AgentInput, agent: AgentLike) -> None:
        """Ask for one, where the user has said something."""
        if run_input.prompt:
            import asyncio

            work = generator.generate(run_input.prompt, agent, run_input.context)
            self._task = asyncio.ensure_future(work)

    async def finish(self, *, finished: bool) -> str:
        """The title; empty where there is none, or the run broke before it was ready."""
        import asyncio

        task, self._task = self._task, None
        if task is None:
            return ""
        if not finished and not task.done():
            task.cancel()
        await asyncio.wait([task])
        return "" if task.cancelled() else task.result()
