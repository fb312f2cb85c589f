"""Runs that wait for somebody: what is kept of them, and where."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.agents.messages import AgentInput, Decision
from mastra_core.agents.protocol import AgentOutput
from mastra_core.errors import InvalidInput, NotFound

__all__ = ("MemorySuspendedRuns", "SuspendedRun", "SuspendedRuns")

_WEEK = 7 * 24 * 3600


class SuspendedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that waits; it has a JSON form.

    :param waiting: the calls that somebody must decide.
    :param history: the framework's own serialised messages.
    :param wish: the wishes of the caller that outlive the process: no request context, which may
        hold secrets, and nothing that is code.
    :param suspended_at: milliseconds since the epoch.
    """

    run_id: str
    agent_id: str
    waiting: tuple[ApprovalRequired | ToolSuspended, ...]
    history: bytes
    wish: AgentInput
    suspended_at: int

    @classmethod
    def of(cls, agent_id: str, run_input: AgentInput, output: AgentOutput) -> SuspendedRun:
        """What to keep of a run whose reason is ``suspended``."""
        kept = msgspec.structs.replace(
            run_input,
            messages=() if output.history else run_input.messages,
            history=b"",
            decisions={},
            context={},
            output=None,
            model=None,
            tools=(),
            stop_when=(),
        )
        return cls(
            run_id=run_input.run_id,
            agent_id=agent_id,
            waiting=tuple(output.waiting),
            history=output.history,
            wish=kept,
            suspended_at=int(time.time() * 1000),
        )

    def resumed(
        self, decisions: Mapping[str, Decision], context: Mapping[str, Any] | None = None
    ) -> AgentInput:
        """The input with which the run goes on.

        :raises InvalidInput: for a decision about a call that does not wait.
        """
        known = {event.id for event in self.waiting}
        for call in decisions:
            if call not in known:
                raise InvalidInput(
                    f"The run {self.run_id!r} does not wait for the call {call!r}.",
                    f"It waits for {', '.join(map(repr, sorted(known)))}.",
                )
        return msgspec.structs.replace(
            self.wish, history=self.history, decisions=dict(decisions), context=dict(context or {})
        )


@runtime_checkable
class SuspendedRuns(Protocol):
    """Where suspended runs are kept, by run id."""

    async def put(self, run: SuspendedRun) -> None:
        """Keep ``run``, in place of one of the same id."""

    async def get(self, run_id: str) -> SuspendedRun:
        """The run of that id, which stays.

        :raises NotFound: when there is none.
        """

    async def take(self, run_id: str) -> SuspendedRun:
        """The run of that id, which is gone then: of two that ask, one gets it.

        :raises NotFound: when there is none.
        """

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Those of one agent, newest first."""


class MemorySuspendedRuns:
    """Suspended runs in this process.

    :param limit: the most that are kept; the oldest go first.
    :param max_age: seconds after which one is forgotten.
    """

    def __init__(self, *, limit: int = 1000, max_age: float = _WEEK) -> None:
        self._limit = limit
        self._max_age = max_age
        self._runs: dict[str, SuspendedRun] = {}

    async def put(self, run: SuspendedRun) -> None:
        """Keep ``run``, in place of one of the same id."""
        self._runs.pop(run.run_id, None)
        self._runs[run.run_id] = run
        while len(self._runs) > self._limit:
            del self._runs[next(iter(self._runs))]

    async def get(self, run_id: str) -> SuspendedRun:
        """The run of that id, which stays.

        :raises NotFound: when there is none.
        """
        self._forget()
        try:
            return self._runs[run_id]
        except KeyError:
            raise NotFound(f"There is no suspended run {run_id!r}.") from None

    async def take(self, run_id: str) -> SuspendedRun:
        """The run of that id, which is gone then.

        :raises NotFound: when there is none.
        """
        run = await self.get(run_id)
        del self._runs[run_id]
        return run

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Those of one agent, newest first."""
        self._forget()
        return [run for run in reversed(self._runs.values()) if run.agent_id == agent_id]

    def _forget(self) -> None:
        oldest = (time.time() - self._max_age) * 1000
        for run_id, run in list(self._runs.items()):
            if run.suspended_at >= oldest:
                return
            del self._runs[run_id]
