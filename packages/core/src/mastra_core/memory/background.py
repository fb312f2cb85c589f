"""Run tasks to their end, even if their caller is cancelled."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike
from mastra_core.logger import get_logger
from mastra_core.memory.titles import TitleGenerator
from mastra_core.request_scope import keep_alive

if TYPE_CHECKING:
    import asyncio

__all__ = ("TitleTask", "run_to_completion")

T = TypeVar("T")
_MAX_WAIT = 10.0  # seconds that the end of a run waits for a title


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine, and let it continue if the caller is cancelled; return its result.

    :param work: the coroutine.
    """
    import asyncio

    task = asyncio.ensure_future(work)
    keep_alive(task)
    return await asyncio.shield(task)


class TitleTask:
    """Generates a title during the run, so that the title does not delay the run."""

    def __init__(self) -> None:
        self._task: asyncio.Task[str] | None = None
        self._title = ""

    def start(self, generator: TitleGenerator, run_input: AgentInput, agent: AgentLike) -> None:
        """Start to generate a title, if the input contains a user's message.

        :param generator: generates the title.
        :param run_input: the input of the run.
        :param agent: the agent of the run.
        """
        if run_input.prompt:
            import asyncio

            work = generator.generate(run_input.prompt, agent, run_input.context)
            self._task = asyncio.ensure_future(work)

    async def finish(self, *, is_complete: bool) -> str:
        """Wait a limited time for the title; do not wait if the run failed.

        Later calls return the same title.

        :param is_complete: whether the run finished.
        :returns: the title; empty if there is none, or if it is not ready.
        """
        import asyncio

        task, self._task = self._task, None
        if task is None:
            return self._title
        if not is_complete and not task.done():
            task.cancel()
        done, _ = await asyncio.wait([task], timeout=_MAX_WAIT)
        if not done:
            task.cancel()
            get_logger("mastra.memory").warning(
                "no title was generated within %g s after the run", _MAX_WAIT
            )
        self._title = task.result() if done and not task.cancelled() else ""
        return self._title
