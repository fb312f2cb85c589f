"""Find, observe and abort the existing runs of an agent that a caller names.

A run of a durable agent is stored in the database, and each server can read it. A run of another
agent exists only in the memory of the server that started it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from litestar import Request

from mastra_core.errors import Conflict, NotFound
from mastra_server.agents.durable_runs import (
    DurableAgentRun,
    find_durable_agent,
    stream_durable_run,
)
from mastra_server.agents.live_run import ChunkConverter, LiveRun, keep_chunk
from mastra_server.agents.live_runs import LiveRuns, RunScope
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent
    from mastra_server.agents.remote.remote_runs import RemoteRuns

__all__ = ("DurableRuns", "InMemoryRuns", "get_existing_runs")

_Request = Request[Any, Any, Any]
_Observation = tuple[AsyncGenerator[bytes], Callable[[], Awaitable[None]]]


def get_existing_runs(
    request: _Request, agent_id: str, resource: str = "", convert: ChunkConverter = keep_chunk
) -> InMemoryRuns | DurableRuns:
    """Return the runs of an agent that the caller of a request may see.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param resource: the owner that the caller names; any by default.
    :param convert: a function that converts the chunks of a durable run to those that readers
        receive.
    :raises Forbidden: when the caller names a resource that it may not access.
    """
    scope = RunScope(
        owner=restrict_to_resource(request),
        thread=restrict_to_thread(request),
        resource=restrict_to_resource(request, resource),
    )
    agent = find_durable_agent(request, agent_id)
    if agent is None:
        state = request.app.state
        return InMemoryRuns(agent_id, scope, state.live_runs, state.remote_runs)
    return DurableRuns(agent, scope, request, convert)


class InMemoryRuns:
    """The runs that exist only in the memory of this server or of another one.

    :param agent_id: the id of the agent.
    :param scope: the runs that the caller may see.
    :param live_runs: the runs in the memory of this server.
    :param remote_runs: the runs of other servers; ``None`` if this server cannot reach others.
    """

    def __init__(
        self, agent_id: str, scope: RunScope, live_runs: LiveRuns, remote_runs: RemoteRuns | None
    ) -> None:
        self._agent_id = agent_id
        self._scope = scope
        self._live_runs = live_runs
        self._remote_runs = remote_runs

    def find(self, run_id: str) -> LiveRun | None:
        """Return a run of this server; ``None`` if this server has no such run.

        :param run_id: the id of the run.
        """
        owner, thread, resource = self._scope
        run = self._live_runs.find(run_id, self._agent_id, owner, thread)
        return run if run is not None and resource in ("", run.resource) else None

    async def get(self, run_id: str) -> LiveRun:
        """Return a run of this server.

        :param run_id: the id of the run.
        :raises NotFound: when this server has no such run.
        """
        run = self.find(run_id)
        if run is None:
            raise _build_not_found()
        return run

    async def observe(self, run_id: str, after: int) -> _Observation:
        """Observe a run of this server or of another one.

        :param run_id: the id of the run.
        :param after: the number of frames to skip.
        :returns: a generator of the frames, and a function to call when the reader has
            disconnected.
        :raises NotFound: when no server has such a run.
        """
        if self._remote_runs is not None and self.find(run_id) is None:
            return await self._remote_runs.observe(self._agent_id, self._scope, run_id, after)
        run = await self.get(run_id)
        return run.stream_frames(after), run.build_disconnect_callback()

    async def abort(self, run_id: str) -> None:
        """Abort a run of this server or of another one.

        :param run_id: the id of the run.
        :raises NotFound: when no server has such a run.
        """
        run, remote = self.find(run_id), self._remote_runs
        if run is not None:
            await run.abort()
        elif remote is None or not await remote.abort(self._agent_id, self._scope, run_id):
            raise _build_not_found()


class DurableRuns:
    """The runs of a durable agent. The database contains them, and this server reads some of them.

    :param agent: the agent.
    :param scope: the runs that the caller may see.
    :param request: the request of the caller.
    :param convert: a function that converts each chunk of a run to the chunks that readers receive.
    """

    def __init__(
        self, agent: DurableAgent, scope: RunScope, request: _Request, convert: ChunkConverter
    ) -> None:
        self._agent = agent
        self._scope = scope
        self._request = request
        self._convert = convert
        self._live_runs: LiveRuns = request.app.state.live_runs

    async def get(self, run_id: str) -> LiveRun:
        """Return a run that this server reads; if nobody reads the run here yet, start to read it.

        :param run_id: the id of the run.
        :raises NotFound: when the caller may see no run with this id.
        :raises Conflict: when a run of another resource with this id is read here, or the caller
            names no resource and several resources have a run with this id.
        """
        run = await self._find_reading(run_id)
        if run is None:
            return await self._start_reading(run_id)
        if self._scope.resource not in ("", run.resource):
            raise _build_conflict(run)
        return run

    async def observe(self, run_id: str, after: int) -> _Observation:
        """Observe a run, wherever it is executed.

        :param run_id: the id of the run.
        :param after: the number of frames to skip.
        :returns: a generator of the frames, and a function to call when the reader has
            disconnected.
        :raises NotFound: when the caller may see no run with this id.
        :raises Conflict: when a run of another resource with this id is read here, or the caller
            names no resource and several resources have a run with this id.
        """
        run = await self.get(run_id)
        return run.stream_frames(after), run.build_disconnect_callback()

    async def abort(self, run_id: str) -> None:
        """Abort a run, wherever it is executed.

        :param run_id: the id of the run.
        :raises NotFound: when the caller may see no run with this id.
        :raises Conflict: when the caller names no resource, and several resources have a run with
            this id.
        """
        run = await self._find_reading(run_id)
        if run is not None and self._scope.resource in ("", run.resource):
            await run.abort()
            return
        _, thread, resource = self._scope
        if thread and thread != (await self._agent.get_input(run_id, resource)).thread:
            raise _build_not_found()
        await self._agent.cancel_run(run_id, resource)

    async def _find_reading(self, run_id: str) -> LiveRun | None:
        """Return the run with an id that this server reads now.

        If the caller names no resource, the database decides which run the id means.
        """
        owner, thread, resource = self._scope
        run = self._live_runs.find(run_id, self._agent.id, owner, thread)
        if run is None or not run.is_running:
            return None
        if resource or not run.resource:
            return run
        try:
            stored = await self._agent.get_input(run_id)
        except NotFound:  # the run has not been stored yet
            return run
        return run if stored.resource == run.resource else None

    async def _start_reading(self, run_id: str) -> LiveRun:
        """Read a stored run from its beginning, unless another reader has just started to."""
        agent, (owner, thread, resource) = self._agent, self._scope
        run_input = await agent.get_input(run_id, resource)
        if thread not in ("", run_input.thread):
            raise _build_not_found()
        chunks = await stream_durable_run(self._request, agent, run_input)
        memory = (run_input.resource, run_input.thread)
        run = self._live_runs.find(run_id, agent.id, owner)
        if run is not None and run.is_running:
            await chunks.aclose()
            if (run.resource, run.thread) != memory:
                raise _build_conflict(run)
            return run
        self._live_runs.forget_finished(run_id, agent.id, owner)
        return self._live_runs.start(
            chunks,
            run_id,
            agent.id,
            owner,
            caller=identify_caller(self._request.scope),
            memory=memory,
            convert=self._convert,
            durable=DurableAgentRun(agent, run_id, run_input.resource, self._request.app.state),
        )


def _build_conflict(run: LiveRun) -> Conflict:
    return Conflict(f"The run {run.id!r} of another resource is running.")


def _build_not_found() -> NotFound:
    return NotFound("Agent run not found")
