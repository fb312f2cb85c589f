"""Suspended runs: their stored form, and the protocol of their store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.agents.messages import AgentInput, Decision
from mastra_core.agents.protocol import AgentOutput
from mastra_core.errors import InvalidInput, NotFound, TooManyRuns
from mastra_core.limits.memory_size import estimate_size
from mastra_core.limits.shares import Shares

__all__ = ("MemorySuspendedRuns", "SuspendedRun", "SuspendedRuns", "build_error")

_WEEK = 7 * 24 * 3600


class SuspendedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A suspended run in a form that can be encoded as JSON.

    :param run_id: id of the run.
    :param agent_id: id of the agent.
    :param waiting: the calls that a person must decide.
    :param history: the framework's own serialised messages.
    :param run_input: the options of the run that are needed to resume it in another process. They
        contain no request context, which may hold secrets, and nothing that is code.
    :param suspended_at: time of the suspension, milliseconds since the epoch.
    :param resumed: whether the run was stored before. Such a run is stored even where its caller
        has too many, because it would be lost otherwise.
    """

    run_id: str
    agent_id: str
    waiting: tuple[ApprovalRequired | ToolSuspended, ...]
    history: bytes
    run_input: AgentInput = msgspec.field(name="wish")  # the name in stored runs
    suspended_at: int
    resumed: bool = False

    @property
    def caller(self) -> str:
        """Who the run is counted for; empty for the application itself."""
        return self.run_input.caller

    @classmethod
    def from_output(cls, agent_id: str, run_input: AgentInput, output: AgentOutput) -> SuspendedRun:
        """Build the stored form of a run whose reason is ``suspended``.

        :param agent_id: id of the agent.
        :param run_input: the input of the run.
        :param output: the output of the run.
        """
        stored_input = msgspec.structs.replace(
            run_input.drop_code(),
            messages=() if output.history else run_input.messages,
            history=b"",
            decisions={},
            context={},
        )
        return cls(
            run_id=run_input.run_id,
            agent_id=agent_id,
            waiting=tuple(output.waiting),
            history=output.history,
            run_input=stored_input,
            suspended_at=int(time.time() * 1000),
            resumed=bool(run_input.decisions),
        )

    def to_input(
        self, decisions: Mapping[str, Decision], context: Mapping[str, Any] | None = None
    ) -> AgentInput:
        """Build the input that resumes the run.

        :param decisions: decisions by call id.
        :param context: the request context.
        :raises InvalidInput: for a decision about a call that does not wait.
        """
        waiting_ids = {event.id for event in self.waiting}
        for call in decisions:
            if call not in waiting_ids:
                raise InvalidInput(
                    f"The run {self.run_id!r} does not wait for the call {call!r}.",
                    f"It waits for {', '.join(map(repr, sorted(waiting_ids)))}.",
                )
        return msgspec.structs.replace(
            self.run_input,
            history=self.history,
            decisions=dict(decisions),
            context=dict(context or {}),
        )


@runtime_checkable
class SuspendedRuns(Protocol):
    """The protocol of a store of suspended runs, by run id."""

    async def put(self, run: SuspendedRun) -> None:
        """Store a run; it replaces a run with the same id.

        :param run: the run.
        :raises TooManyRuns: when its caller has too many suspended runs. A run that waits for a
            decision is never removed to make room.
        """

    async def get(self, run_id: str) -> SuspendedRun:
        """Return a run and keep it in the store.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """

    async def take(self, run_id: str) -> SuspendedRun:
        """Return a run and remove it from the store; of two concurrent callers one gets it.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Return the runs of one agent, newest first.

        :param agent_id: id of the agent.
        """


class MemorySuspendedRuns:
    """A store of suspended runs in this process.

    :param limit: maximum number of stored runs, divided among the callers.
    :param max_bytes: maximum size of all stored runs, divided among the callers.
    :param max_age: seconds after which a run is removed.
    """

    def __init__(
        self, *, limit: int = 1000, max_bytes: int = 67_108_864, max_age: float = _WEEK
    ) -> None:
        self._places = Shares(limit)
        self._bytes = Shares(max_bytes)
        self._max_age = max_age
        self._runs: dict[str, tuple[SuspendedRun, int]] = {}

    async def put(self, run: SuspendedRun) -> None:
        """Store a run; it replaces a run with the same id.

        :param run: the run.
        :raises TooManyRuns: when its caller has too many suspended runs, or too large ones.
        """
        self._remove_expired()
        self._remove(run.run_id)
        size = estimate_size(run)
        fits = self._places.fits(run.caller) and self._bytes.fits(run.caller, size)
        if not (fits or run.resumed):
            raise build_error(self._places.capacity - self._places.free)
        self._places.hold(run.caller)
        self._bytes.hold(run.caller, size)
        self._runs[run.run_id] = run, size

    async def get(self, run_id: str) -> SuspendedRun:
        """Return a run and keep it in the store.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """
        self._remove_expired()
        try:
            return self._runs[run_id][0]
        except KeyError:
            raise NotFound(f"There is no suspended run {run_id!r}.") from None

    async def take(self, run_id: str) -> SuspendedRun:
        """Return a run and remove it from the store.

        :param run_id: id of the run.
        :raises NotFound: when there is none.
        """
        run = await self.get(run_id)
        self._remove(run_id)
        return run

    async def list(self, agent_id: str) -> list[SuspendedRun]:
        """Return the runs of one agent, newest first.

        :param agent_id: id of the agent.
        """
        self._remove_expired()
        return [run for run, _ in reversed(self._runs.values()) if run.agent_id == agent_id]

    def _remove(self, run_id: str) -> None:
        if run_id in self._runs:
            run, size = self._runs.pop(run_id)
            self._places.release(run.caller)
            self._bytes.release(run.caller, size)

    def _remove_expired(self) -> None:
        oldest = (time.time() - self._max_age) * 1000
        while self._runs:
            run, _ = next(iter(self._runs.values()))
            if run.suspended_at >= oldest:
                return
            self._remove(run.run_id)


def build_error(count: int) -> TooManyRuns:
    """Build the error for a caller that has too many suspended runs.

    :param count: the number of stored runs of all callers.
    """
    return TooManyRuns(
        f"{count} suspended runs are stored, and this caller may add no more.",
        "Decide or decline some of them, or raise the limits of the storage.",
    )
