"""Keep the streaming agent runs of this process, so that readers can reconnect to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, NamedTuple

from mastra_core.errors import Conflict, TooManyRuns
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.shares import Shares
from mastra_core.request_scope import is_request_scoped
from mastra_server.agents.durable_runs import DurableAgentRun
from mastra_server.agents.frame_log import LogBudget
from mastra_server.agents.live_run import ChunkConverter, LiveRun, keep_chunk

__all__ = ("LiveRuns", "RunScope")

MAX_RUNNING = 1000
# Of the inputs of all running runs together.
MAX_RUNNING_BYTES = fit_to_memory(256 * 1024 * 1024)
MAX_FINISHED = 1000
MAX_FINISHED_BYTES = fit_to_memory(64 * 1024 * 1024)  # of all finished runs together
MAX_AGE = 300.0  # seconds that a finished run is kept

_Key = tuple[str, str, str]


class RunScope(NamedTuple):
    """The runs that a caller may see; an empty field restricts nothing.

    :param owner: the resource that the caller is restricted to.
    :param thread: the thread that the caller is restricted to.
    :param resource: the resource that the caller names.
    """

    owner: str
    thread: str = ""
    resource: str = ""


class LiveRuns:
    """The agent runs of all callers in this process, limited in number, age and bytes.

    :param seconds: the timeout of each run.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Key, LiveRun] = {}
        self._ends: dict[_Key, Callable[[], None]] = {}  # of runs that a platform may end silently
        self._finished: CallerCache[_Key, LiveRun] = CallerCache(
            MAX_FINISHED, MAX_FINISHED_BYTES, MAX_AGE
        )
        self._places = Shares(MAX_RUNNING)
        self._bytes = Shares(MAX_RUNNING_BYTES)
        self._log_budget = LogBudget()

    def start(
        self,
        chunks: AsyncGenerator[dict[str, Any]],
        run_id: str,
        agent_id: str,
        owner: str = "",
        *,
        caller: str = "",
        size: int = 0,
        memory: tuple[str, str] = ("", ""),
        convert: ChunkConverter = keep_chunk,
        durable: DurableAgentRun | None = None,
    ) -> LiveRun:
        """Start a run, or continue a suspended run with the same id.

        :param chunks: the chunks of the run.
        :param run_id: the id of the run.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty for none.
        :param caller: the caller whose limits apply to the run; empty for the application itself.
        :param size: the bytes of the run's input.
        :param memory: the resource and the thread of the run's input.
        :param convert: a function that converts each chunk to the chunks that readers receive.
        :param durable: a durable run, which this server only reads; ``None`` for a run of this
            server.
        :returns: the run.
        :raises Conflict: when a run with this id is still running.
        :raises TooManyRuns: when the number or the size of the caller's running runs exceeds a
            limit.
        """
        key = (agent_id, owner, run_id)
        self._remove_lost_runs()
        if key in self._running:
            raise Conflict(
                f"The run {run_id!r} is running.", "Observe the run, or choose another run id."
            )
        release = self.hold_place(caller, size)
        run = self._finished.pop(key)
        if run is None or (run.resource, run.thread) != memory:  # the log belongs to another thread
            run = LiveRun(run_id, agent_id, owner, self._log_budget)
        self._running[key] = run
        self._log_budget.running = len(self._running)
        run.durable = durable
        run.resource, run.thread = memory
        run.start(chunks, self._seconds if durable is None else None, convert, caller)
        end = partial(self._move_to_finished, key, run, caller, release)
        run.on_end(end)
        if is_request_scoped():
            self._ends[key] = end
        return run

    def hold_place(self, caller: str, size: int) -> Callable[[], None]:
        """Count a run toward its caller's limits, without adding it to the live runs.

        :param caller: the caller; empty for the application itself.
        :param size: the bytes of the run's input.
        :returns: a function to call once, at the end of the run.
        :raises TooManyRuns: when the number or the size of the caller's running runs exceeds a
            limit.
        """
        if not (self._places.fits(caller) and self._bytes.fits(caller, size)):
            number = self._places.capacity - self._places.free
            raise TooManyRuns(
                f"{number} agent runs are running, and this caller may start no more.",
                "Wait for the end of a run, or cancel one.",
            )
        self._places.hold(caller)
        self._bytes.hold(caller, size)

        def release() -> None:
            self._places.release(caller)
            self._bytes.release(caller, size)

        return release

    def find(self, run_id: str, agent_id: str, owner: str = "", thread: str = "") -> LiveRun | None:
        """Return a run that is running or ended recently, or ``None``.

        :param run_id: the id of the run.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        :param thread: the thread that the caller is restricted to; empty without a restriction.
        """
        key = (agent_id, owner, run_id)
        run = self._running.get(key) or self._finished.get(key)
        return run if run is not None and thread in ("", run.thread) else None

    def forget_finished(self, run_id: str, agent_id: str, owner: str) -> None:
        """Forget a run that no longer executes here, because another server continues it.

        :param run_id: the id of the run.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        """
        self._finished.pop((agent_id, owner, run_id))

    def find_chat(
        self, chat: str, agent_id: str, owner: str = "", thread: str = ""
    ) -> LiveRun | None:
        """Return the active run of a chat, or ``None``.

        :param chat: the id of the chat.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        :param thread: the thread that the caller is restricted to; empty without a restriction.
        """
        for (agent, resource, _), run in self._running.items():
            is_own = (agent, resource) == (agent_id, owner) and thread in ("", run.thread)
            if chat and run.chat == chat and is_own:
                return run
        return None

    async def close(self) -> None:
        """Abort all running runs at the same time, and stop reading durable runs."""
        await asyncio.gather(*(run.detach() for run in self._running.values()))

    def wake_readers(self) -> None:
        """Wake the readers of all running runs, because the server drains."""
        for run in self._running.values():
            run.wake_readers()

    def _remove_lost_runs(self) -> None:
        """Move runs to the finished runs, if the platform has ended their requests."""
        for key, end in list(self._ends.items()):
            if not self._running[key].is_running:
                end()

    def _move_to_finished(
        self, key: _Key, run: LiveRun, caller: str, release: Callable[[], None]
    ) -> None:
        if self._running.get(key) is not run:
            return
        self._ends.pop(key, None)
        del self._running[key]
        self._log_budget.running = len(self._running)
        release()
        run.end()
        self._finished.put(key, run, caller, run.size)
