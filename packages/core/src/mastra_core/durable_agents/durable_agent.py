"""An agent whose runs are stored in the database of an engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from mastra_core.agents.events import AgentEvent
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike, AgentOutput, collect
from mastra_core.agents.run_failures import to_request_failure
from mastra_core.agents.suspended_runs import (
    SuspendedRun,
    SuspendedRunPage,
    SuspendedRunQuery,
    cancel_called_workflows,
)
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper
from mastra_core.durable_agents.agent_workflow import (
    build_agent_workflow,
    dump_decisions,
    dump_input,
    read_input,
    read_suspended_run,
)
from mastra_core.durable_agents.canceled_run import save_canceled_run
from mastra_core.durable_agents.run_reader import iter_agent_events
from mastra_core.errors import NotFound, RequestError
from mastra_core.limits.memory_size import estimate_size
from mastra_core.limits.page_size import PageSize
from mastra_core.random_id import generate_id
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_query import RunQuery

__all__ = ("DurableAgent",)

_READ_SIZE = 10  # runs in memory before their size is counted
_LAST_EVENTS = 2  # of a suspended run: StepSuspended and RunIdle


class DurableAgent(AgentWrapper):
    """Runs an agent in a durable engine; another process can continue each run.

    A run goes on when its reader stops; ``cancel_run`` stops the run. The id of a run is unique
    among the runs of its resource. An attribute that this class does not define is read from the
    agent.

    :param agent: the agent.
    :param engine: the engine.
    """

    def __init__(self, agent: AgentLike, engine: Engine) -> None:
        super().__init__(agent)
        self.workflow = build_agent_workflow(agent)
        self._engine = engine

    async def generate(self, input: AgentInput | str, /, **overrides: Any) -> AgentOutput:
        """Run to the end.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        :raises AgentFailed: when the run fails.
        :raises Conflict: when a run with this id was started before, or is not suspended.
        :raises InvalidInput: when an option is code, such as a function, which cannot be stored.
        """
        run_input = AgentInput.from_value(input, overrides)
        return await collect(self._run(run_input, live=False))

    async def stream(
        self, input: AgentInput | str, /, **overrides: Any
    ) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        """
        run_input = AgentInput.from_value(input, overrides)
        try:
            async with aclosing(self._run(run_input, live=True)) as events:
                async for event in events:
                    yield event
        except RequestError as error:
            yield to_request_failure(error)

    async def observe(self, run_id: str, resource: str = "") -> AsyncGenerator[AgentEvent]:
        """Return the events of a stored run from its beginning, until it ends or is suspended.

        :param run_id: the id of the run.
        :param resource: the owner of the run; any by default.
        :raises NotFound: when there is no such run, or it has not been started.
        """
        run = await self._find(run_id, resource)
        if run.record.status == "pending":  # a run never starts if its caller has failed
            raise self._build_not_found(run_id)
        return iter_agent_events(run)

    async def get_input(self, run_id: str, resource: str = "") -> AgentInput:
        """Return the input of a stored run, without its request context.

        :param run_id: the id of the run.
        :param resource: the owner of the run; any by default.
        :raises NotFound: when there is no such run.
        """
        record = (await self._find(run_id, resource)).record
        if record.input is None:  # the run has not been started
            return AgentInput(run_id=run_id, resource=record.resource_id)
        return read_input(record)

    async def cancel_run(self, run_id: str, resource: str = "") -> None:
        """Cancel a run, wherever it is executed; do nothing if it has ended.

        The events so far are stored in the thread of the run.

        :param run_id: the id of the run.
        :param resource: the owner of the run; any by default.
        :raises NotFound: when there is no such run.
        """
        run = await self._find(run_id, resource)
        if not run.record.is_finished:
            waiting = (
                read_suspended_run(self.id, run.record).waiting
                if run.record.status == "suspended"
                else ()
            )
            await self._engine.cancel(run)
            await cancel_called_workflows(self._agent, run_id, run.record.resource_id, waiting)
            await save_canceled_run(self._agent, run)

    async def store_canceled_run(self, run_id: str, resource: str = "") -> None:
        """Store the events of a run in its thread, after another caller has canceled the run.

        :param run_id: the id of the run.
        :param resource: the owner of the run; any by default.
        :raises NotFound: when there is no such run.
        """
        await save_canceled_run(self._agent, await self._find(run_id, resource))

    async def get_suspended_run(self, run_id: str, resource: str = "") -> SuspendedRun:
        """Return a run that waits for decisions.

        :param run_id: the id of the run.
        :param resource: the owner of the run; any by default.
        :raises NotFound: when there is no such run, or it does not wait.
        """
        record = (await self._find(run_id, resource)).record
        if record.status != "suspended":
            raise NotFound(f"There is no suspended run {run_id!r}.")
        return read_suspended_run(self.id, record)

    async def find_suspended_runs(self, run_id: str) -> list[SuspendedRun]:
        """Return the suspended runs with this id: at most two, which belong to different resources.

        :param run_id: the id of the runs.
        """
        query = RunQuery(run_id=run_id, status="suspended", limit=2)
        records = await self._engine.list(self.workflow, query)
        return [read_suspended_run(self.id, each) for each in records]

    async def list_suspended_runs(self, query: SuspendedRunQuery) -> SuspendedRunPage:
        """Return a page of the runs that match a query, newest first.

        Only the first and the last events of each run are read. With ``call``, ``since`` or
        ``until``, the method reads all suspended runs of the resource and the thread.

        :param query: the query.
        :raises InvalidInput: when the page is larger than the query allows.
        """
        selection = RunQuery(
            status="suspended",
            resource_id=query.resource or "",
            thread=query.thread or "",
            updated_since=query.since,
            order="updated",
            last_events=_LAST_EVENTS,
        )
        exact = SuspendedRunQuery(
            agent=query.agent, resource=query.resource or None, thread=query.thread or None
        )
        page = {"page": query.page, "per_page": query.per_page, "max_bytes": query.max_bytes}
        size, items, total = PageSize(query.max_bytes), list[SuspendedRun](), 0
        if query == msgspec.structs.replace(exact, **page):
            async for run in self._iter_suspended(selection, query.offset, query.per_page):
                size.add(estimate_size(run))
                items.append(run)
            total = sum((await self._engine.count(self.workflow, selection)).values())
            return SuspendedRunPage(items=tuple(items), total=total)
        async for run in self._iter_suspended(selection):
            if query.matches(run):
                if query.offset <= total < query.offset + query.per_page:
                    size.add(estimate_size(run))
                    items.append(run)
                total += 1
        return SuspendedRunPage(items=tuple(items), total=total)

    async def _iter_suspended(
        self, selection: RunQuery, offset: int = 0, limit: int = 2**52
    ) -> AsyncIterator[SuspendedRun]:
        """Yield the suspended runs of a page, and read them in parts of a few runs.

        Other processes may suspend and resume runs during these reads, so each part begins after
        the last run of the previous part. A run may no longer be suspended when its events are
        read.
        """
        part = msgspec.structs.replace(selection, offset=offset)
        while limit > 0:
            part = msgspec.structs.replace(part, limit=min(_READ_SIZE, limit))
            records, cursor = await self._engine.list_page(self.workflow, part)
            for record in records:
                if record.status == "suspended":
                    yield read_suspended_run(self.id, record)
            if cursor is None:
                return
            limit -= len(records)
            part = msgspec.structs.replace(part, after=cursor, offset=0)

    async def _find(self, run_id: str, resource: str) -> Run:
        """Return a run. If the caller names no resource, prefer the run without a resource."""
        try:
            return await self._engine.get(self.workflow, run_id, resource)
        except NotFound:
            raise self._build_not_found(run_id) from None

    def _build_not_found(self, run_id: str) -> NotFound:
        return NotFound(f"There is no run {run_id!r} of the agent {self.id!r}.")

    async def _run(self, run_input: AgentInput, *, live: bool) -> AsyncGenerator[AgentEvent]:
        run, offset = await (
            self._resume(run_input, live=live)
            if run_input.decisions
            else self._start(run_input, live=live)
        )
        async with aclosing(iter_agent_events(run, offset, until_suspended=True)) as events:
            async for event in events:
                yield event

    async def _start(self, run_input: AgentInput, *, live: bool) -> tuple[Run, int]:
        run_id = run_input.run_id or generate_id()
        run_input = msgspec.structs.replace(run_input, run_id=run_id)
        value, resource = dump_input(run_input, live=live), run_input.resource
        run = await self._engine.create(
            self.workflow,
            run_id,
            resource,
            caller=run_input.caller,
            thread=run_input.thread,
            is_confined=bool(resource),
        )
        await self._engine.start(run, value, run_input.context)
        return run, 0

    async def _resume(self, run_input: AgentInput, *, live: bool) -> tuple[Run, int]:
        try:
            suspended = await self.get_suspended_run(run_input.run_id, run_input.resource)
        except NotFound:
            if not run_input.history:
                raise
            # The run began before the agent was durable.
            return await self._start(run_input, live=live)
        suspended.to_input(run_input.decisions)  # refuses decisions about other calls
        run = await self._find(run_input.run_id, run_input.resource)
        offset = run.position
        data = dump_decisions(run_input.decisions, live=live)
        await self._engine.resume(run, data, context=run_input.context)
        return run, offset
