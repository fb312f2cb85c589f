"""The stored form of suspended runs, and the protocol of their store."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from mastra_core.agents.events import ApprovalRequired, ToolSuspended
from mastra_core.agents.messages import AgentInput, Decision
from mastra_core.agents.protocol import AgentLike, AgentOutput
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.database.encodable_text import check_encodable
from mastra_core.errors import Conflict, InvalidInput, NotFound, TooManyRuns
from mastra_core.limits.memory_size import estimate_size
from mastra_core.limits.page_size import PageSize, check_page
from mastra_core.limits.shares import Shares
from mastra_core.override import override
from mastra_core.schema import repair_struct
from mastra_core.telemetry import save_context

__all__ = (
    "MemorySuspendedRuns",
    "SuspendedRun",
    "SuspendedRunPage",
    "SuspendedRunQuery",
    "SuspendedRuns",
    "build_ambiguity",
    "build_error",
    "build_page",
    "cancel_called_workflows",
    "check_replacement",
    "limit_size",
    "select_single",
)

T = TypeVar("T")
_Key = tuple[str, str, str]  # agent, resource, id
_WEEK = 7 * 24 * 3600


class SuspendedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A suspended run in a form that can be encoded as JSON.

    :param run_id: id of the run.
    :param agent_id: id of the agent.
    :param waiting: the calls that wait for a decision of a person.
    :param history: the framework's own serialised messages.
    :param run_input: the options of the run that are needed to resume it in another process. The
        options contain neither code nor the request context, which may hold secrets.
    :param suspended_at: time of the suspension, milliseconds since the epoch.
    :param resumed: whether the run was suspended and resumed before. A resumed run is stored even
        if its caller has too many runs, because the run would be lost otherwise.
    :param history_format: the framework that defines the format of ``history``; empty if it is
        unknown.
    """

    run_id: str
    agent_id: str
    waiting: tuple[ApprovalRequired | ToolSuspended, ...]
    history: bytes
    run_input: AgentInput = msgspec.field(name="wish")  # the name in stored runs
    suspended_at: int
    resumed: bool = False
    history_format: str = ""

    @property
    def caller(self) -> str:
        """The caller whose limits apply to the run; empty for the application itself."""
        return self.run_input.caller

    @classmethod
    def from_output(
        cls, agent: AgentLike, run_input: AgentInput, output: AgentOutput
    ) -> SuspendedRun:
        """Build the stored form of a run whose reason is ``suspended``.

        :param agent: the agent.
        :param run_input: the input of the run.
        :param output: the output of the run.
        """
        stored_input = msgspec.structs.replace(
            run_input.drop_code(),
            messages=() if output.history else run_input.messages,
            history=b"",
            decisions={},
            context={},
            trace=save_context(),
        )
        return cls(
            run_id=run_input.run_id,
            agent_id=agent.id,
            waiting=tuple(output.waiting),
            history=output.history,
            run_input=stored_input,
            suspended_at=int(time.time() * 1000),
            resumed=bool(run_input.decisions),
            history_format=Capabilities(agent).history_format,
        )

    def check_agent(self, agent: AgentLike) -> None:
        """Check that an agent can continue the run; a new version of the app may have replaced it.

        :param agent: the agent that now has the id ``agent_id``.
        :raises Conflict: when the agent cannot read the history of the run.
        """
        if self.history_format not in ("", Capabilities(agent).history_format):
            raise Conflict(
                f"The run {self.run_id!r} has a history in the format of {self.history_format}, "
                f"which the agent {self.agent_id!r} of this version of the app cannot read.",
                "Decide the call in a version of the app that has the earlier agent, or cancel the "
                "run.",
            )

    def to_input(
        self, decisions: Mapping[str, Decision], context: Mapping[str, Any] | None = None
    ) -> AgentInput:
        """Build the input to resume the run.

        :param decisions: decisions by call id.
        :param context: the request context.
        :raises InvalidInput: for a decision about a call that does not wait.
        """
        waiting_ids = {event.id for event in self.waiting}
        for call in decisions:
            if call not in waiting_ids:
                raise InvalidInput(
                    f"The run {self.run_id!r} is not waiting for a decision about the call "
                    f"{call!r}.",
                    "The run waits for decisions about "
                    f"{', '.join(map(repr, sorted(waiting_ids)))}.",
                )
        return msgspec.structs.replace(
            self.run_input,
            history=self.history,
            decisions=dict(decisions),
            context=dict(context or {}),
        )


class SuspendedRunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for suspended runs of an agent; the newest run is first.

    :param agent: id of the agent.
    :param resource: owner of the runs; ``None`` for any.
    :param thread: id of the thread of the runs; ``None`` for any.
    :param call: id of a call that the runs wait for; ``None`` for any.
    :param since: earliest time, milliseconds since the epoch, inclusive.
    :param until: latest time, milliseconds since the epoch, inclusive.
    :param page: number of the page, from 0.
    :param per_page: maximum number of runs in a page.
    :param max_bytes: maximum size of a page in memory, estimated in bytes; a larger page is
        refused with ``InvalidInput``. ``None`` for no maximum.
    :raises InvalidInput: for a value of the wrong type, or a negative number.
    """

    agent: str
    resource: str | None = None
    thread: str | None = None
    call: str | None = None
    since: int | None = None
    until: int | None = None
    page: int = 0
    per_page: int = 100
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_page(self, SuspendedRunQuery.__annotations__)

    @property
    def offset(self) -> int:
        """The number of runs before the page."""
        return self.page * self.per_page

    def matches(self, run: SuspendedRun) -> bool:
        """Return whether a run matches the query.

        :param run: the run.
        """
        return (
            run.agent_id == self.agent
            and self.resource in (None, run.run_input.resource)
            and self.thread in (None, run.run_input.thread)
            and (self.call is None or any(event.id == self.call for event in run.waiting))
            and (self.since is None or run.suspended_at >= self.since)
            and (self.until is None or run.suspended_at <= self.until)
        )


class SuspendedRunPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the suspended runs that match a query.

    :param items: the runs of the page.
    :param total: the number of all runs that match.
    """

    items: tuple[SuspendedRun, ...] = ()
    total: int = 0


@runtime_checkable
class SuspendedRuns(Protocol):
    """The protocol of a store of suspended runs.

    The key of a run consists of its agent, its resource and its id. Callers choose ids, so two
    resources may use the same run id. A call with an id that UTF-8 cannot encode raises
    ``InvalidInput``.
    """

    async def put(self, run: SuspendedRun) -> None:
        """Store a run, and replace a stored run with the same key and thread.

        :param run: the run.
        :raises Conflict: when the stored run belongs to another thread, and ``run`` is not resumed.
            The caller of a thread may choose the id of a run of a thread that it may not access.
        :raises TooManyRuns: when the caller has too many suspended runs, or they take too much
            memory. A waiting run is never removed to make room.
        """

    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run, and keep it in the store.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is no such suspended run.
        :raises Conflict: when the resource is ``None``, and several resources have a run with this
            id.
        """

    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        """Return a run and remove it from the store; only one of two concurrent callers gets it.

        :param agent_id: id of the agent.
        :param run_id: id of the run.
        :param resource: owner of the run; ``None`` for any.
        :raises NotFound: when there is no such suspended run.
        :raises Conflict: when the resource is ``None``, and several resources have a run with this
            id.
        """

    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        """Return the runs that match a query, newest first.

        :param query: the query.
        :raises InvalidInput: when the page is larger than the query allows.
        """


class MemorySuspendedRuns(SuspendedRuns):
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
        # A plain dict would take long to find its first key after many removals.
        self._runs: OrderedDict[_Key, tuple[SuspendedRun, int]] = OrderedDict()

    @override
    async def put(self, run: SuspendedRun) -> None:
        key = (run.agent_id, run.run_input.resource, run.run_id)
        check_encodable(*key, run.run_input.thread, run.caller)
        run = repair_struct(run)
        self._remove_expired()
        earlier, size = self._runs.get(key), estimate_size(run)
        if earlier is not None:
            check_replacement(run, earlier[0].run_input.thread)
        if earlier is not None:
            self._release(*earlier)
        fits = self._places.fits(run.caller) and self._bytes.fits(run.caller, size)
        if not (fits or run.resumed):
            if earlier is not None:
                self._hold(*earlier)
            raise build_error(len(self._runs))
        self._runs.pop(key, None)  # the replacement is the newest run
        self._hold(run, size)
        self._runs[key] = run, size

    @override
    async def get(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        return self._runs[self._find_key(agent_id, run_id, resource)][0]

    @override
    async def take(self, agent_id: str, run_id: str, resource: str | None = None) -> SuspendedRun:
        return self._remove(self._find_key(agent_id, run_id, resource))

    @override
    async def list(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        check_encodable(query.agent, query.resource, query.thread, query.call)
        self._remove_expired()
        runs = [run for run, _ in reversed(self._runs.values()) if query.matches(run)]
        return build_page(runs, query)

    def _find_key(self, agent_id: str, run_id: str, resource: str | None) -> _Key:
        check_encodable(agent_id, run_id, resource)
        self._remove_expired()
        if resource is None:
            wanted = (agent_id, run_id)
            return select_single([key for key in self._runs if key[::2] == wanted], run_id)
        key = (agent_id, resource, run_id)
        return select_single([key] if key in self._runs else [], run_id)

    def _hold(self, run: SuspendedRun, size: int) -> None:
        self._places.hold(run.caller)
        self._bytes.hold(run.caller, size)

    def _release(self, run: SuspendedRun, size: int) -> None:
        self._places.release(run.caller)
        self._bytes.release(run.caller, size)

    def _remove(self, key: _Key) -> SuspendedRun:
        run, size = self._runs.pop(key)
        self._release(run, size)
        return run

    def _remove_expired(self) -> None:
        oldest = (time.time() - self._max_age) * 1000
        while self._runs:
            key, (run, _) = next(iter(self._runs.items()))
            if run.suspended_at >= oldest:
                return
            self._remove(key)


async def cancel_called_workflows(
    agent: Any, run_id: str, resource: str, calls: Sequence[ApprovalRequired | ToolSuspended]
) -> None:
    """Cancel the runs of workflows that the waiting calls of a canceled run have started.

    Otherwise, callers could still resume the workflows, and the runs would count for their caller.

    :param agent: the agent; an agent that has no workflows is ignored.
    :param run_id: the id of the agent's run.
    :param resource: the owner of the agent's run.
    :param calls: the calls that wait.
    """
    cancel_workflows = Capabilities(agent).cancel_workflows
    if cancel_workflows is not None:
        await cancel_workflows(run_id, resource, calls)


def select_single(matches: Sequence[T], run_id: str) -> T:
    """Return the only element of a list of suspended runs, or raise an error.

    :param matches: what a store has found for a run id.
    :param run_id: id of the run.
    :raises NotFound: when the list is empty.
    :raises Conflict: when several resources have a run with this id.
    """
    if not matches:
        raise NotFound(f"There is no suspended run {run_id!r}.")
    if len(matches) > 1:
        raise build_ambiguity(run_id)
    return matches[0]


def build_page(runs: Sequence[SuspendedRun], query: SuspendedRunQuery) -> SuspendedRunPage:
    """Build the page of a query from all runs that match.

    :param runs: all runs that match the query, in the order of the pages.
    :param query: the query.
    :raises InvalidInput: when the page is larger than the query allows.
    """
    page = runs[query.offset : query.offset + query.per_page]
    return SuspendedRunPage(items=limit_size(page, query), total=len(runs))


def limit_size(runs: Sequence[SuspendedRun], query: SuspendedRunQuery) -> tuple[SuspendedRun, ...]:
    """Return the runs of a page, or raise an error if they are too large together.

    :param runs: the runs.
    :param query: the query, whose ``max_bytes`` is the maximum size.
    :raises InvalidInput: when the page is larger than the query allows.
    """
    size = PageSize(query.max_bytes)
    for run in runs:
        size.add(estimate_size(run))
    return tuple(runs)


def build_ambiguity(run_id: str) -> Conflict:
    """Build the error for a call without a resource, if several resources have a run with the id.

    :param run_id: id of the run.
    """
    return Conflict(
        f"Several resources have a run {run_id!r}.",
        "Name the owner of the run: resourceId in a request, resource in Python, or --resource.",
    )


def check_replacement(run: SuspendedRun, thread: str) -> None:
    """Refuse to replace a suspended run of another thread.

    :param run: the run to store.
    :param thread: the thread of the stored run with the same key.
    :raises Conflict: when the threads differ, and ``run`` is not resumed.
    """
    if thread != run.run_input.thread and not run.resumed:
        raise Conflict(
            f"A run {run.run_id!r} of another thread is suspended.", "Choose another run id."
        )


def build_error(count: int) -> TooManyRuns:
    """Build the error for a caller that has too many suspended runs.

    :param count: the number of stored runs of all callers.
    """
    return TooManyRuns(
        f"{count} suspended runs are stored, and this caller may add no more.",
        "Decide or decline some of them, or raise the limits of the storage.",
    )
