"""Keep the streaming agent runs of this process, so that readers can reconnect to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from litestar import Request

from mastra_core.agents import AgentInput
from mastra_core.errors import Conflict, NotFound, TooManyRuns
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.shares import Shares
from mastra_core.request_scope import is_request_scoped
from mastra_server.agents.durable_runs import (
    DurableRun,
    find_durable_agent,
    find_durable_run,
    stream_durable_run,
)
from mastra_server.agents.live_run import ChunkConverter, LiveRun, LogBudget, keep_chunk
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import StreamResponse
from mastra_server.http.sse import sse_response

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent

__all__ = (
    "LiveRuns",
    "RunScope",
    "abort_live_run",
    "find_chat_run",
    "get_thread_key",
    "is_reconnect",
    "observe_live_run",
    "respond_with_run",
    "respond_with_stream",
    "start_live_run",
)

MAX_RUNNING = 1000
MAX_RUNNING_BYTES = 256 * 1024 * 1024  # of the inputs of all running runs together
MAX_FINISHED = 1000
MAX_FINISHED_BYTES = 64 * 1024 * 1024  # of all finished runs together
MAX_AGE = 300.0  # seconds that a finished run is kept
_MAX_DIGITS = 15  # of a frame number
_ABORT = "x-mastra-abort-on-disconnect"

_Request = Request[Any, Any, Any]
_Key = tuple[str, str, str]


class RunScope(NamedTuple):
    """The runs that a caller may see; each field is empty for no restriction.

    :param owner: the resource that the caller is restricted to.
    :param thread: the thread that the caller is restricted to.
    :param resource: the resource that the caller names.
    """

    owner: str
    thread: str = ""
    resource: str = ""


class LiveRuns:
    """The agent runs of this process; callers share limits for number, age and bytes.

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
        durable: DurableRun | None = None,
    ) -> LiveRun:
        """Start a run, or continue a suspended run with the same id.

        :param chunks: the chunks of the run.
        :param run_id: the id of the run.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty for none.
        :param caller: the caller whose limits the run counts toward; empty for the application
            itself.
        :param size: the bytes of the run's input.
        :param memory: the resource and the thread of the run's input.
        :param convert: converts each chunk to those that the readers receive.
        :param durable: a durable run, which this server only reads; ``None`` for a run of this
            server.
        :returns: the run.
        :raises Conflict: when a run with this id is still running.
        :raises TooManyRuns: when the caller has too many running runs, or too large ones.
        """
        key = (agent_id, owner, run_id)
        self._remove_lost_runs()
        if key in self._running:
            raise Conflict(f"The run {run_id!r} is running.")
        release = self.hold_place(caller, size)
        run = self._finished.pop(key)
        if run is None or (run.resource, run.thread) != memory:  # its log belongs to another thread
            run = LiveRun(run_id, agent_id, owner, self._log_budget)
        self._running[key] = run
        self._log_budget.running = len(self._running)
        run.durable = durable
        run.resource, run.thread = memory
        run.start(chunks, self._seconds if durable is None else None, convert)
        end = partial(self._move_to_finished, key, run, caller, release)
        run.on_end(end)
        if is_request_scoped():
            self._ends[key] = end
        return run

    def hold_place(self, caller: str, size: int) -> Callable[[], None]:
        """Count a run, which need not be one of these runs, toward the limits of its caller.

        :param caller: the caller; empty for the application itself.
        :param size: the bytes of the run's input.
        :returns: a function to call once, at the end of the run.
        :raises TooManyRuns: when the caller has too many running runs, or too large ones.
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
        :param owner: the resource that the caller is restricted to; empty for none.
        :param thread: the thread that the caller is restricted to; empty for none.
        """
        key = (agent_id, owner, run_id)
        run = self._running.get(key) or self._finished.get(key)
        return run if run is not None and thread in ("", run.thread) else None

    def forget_finished(self, run_id: str, agent_id: str, owner: str) -> None:
        """Forget a finished or suspended run, because another server continues it.

        :param run_id: the id of the run.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty for none.
        """
        self._finished.pop((agent_id, owner, run_id))

    def find_chat(
        self, chat: str, agent_id: str, owner: str = "", thread: str = ""
    ) -> LiveRun | None:
        """Return the active run of a chat, or ``None``.

        :param chat: the id of the chat.
        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty for none.
        :param thread: the thread that the caller is restricted to; empty for none.
        """
        for (agent, resource, _), run in self._running.items():
            is_own = (agent, resource) == (agent_id, owner) and thread in ("", run.thread)
            if chat and run.chat == chat and is_own:
                return run
        return None

    async def close(self) -> None:
        """Abort all running runs, and stop reading durable runs."""
        for run in [*self._running.values()]:
            await run.detach()

    def _remove_lost_runs(self) -> None:
        """Move runs whose request the platform has ended to the finished runs."""
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
        self._finished.put(key, run, caller, run.size)


async def respond_with_stream(
    request: _Request,
    agent_id: str,
    run_input: AgentInput,
    chunks: AsyncGenerator[dict[str, Any]],
    *,
    convert: ChunkConverter = keep_chunk,
    announce: bool = True,
    chat: str = "",
) -> StreamResponse:
    """Start a run and stream it, or reconnect to the run in ``Last-Event-ID``.

    A run is aborted soon after its last reader has disconnected, unless its thread has a
    subscriber or the run is durable. With ``x-mastra-abort-on-disconnect: false`` the run
    continues, and with ``true`` it is aborted at once. On a reconnect, ``chunks`` is not started.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_input: the input of the run.
    :param chunks: the chunks of the run.
    :param convert: converts each chunk to those that the readers receive.
    :param announce: whether subscribers of the run's thread receive ``chunks``.
    :param chat: id of the chat in which the run answers; empty for none.
    :returns: the stream.
    :raises NotFound: when the run in the header is not kept, or no longer.
    """
    run_id, after = _read_last_event_id(request)
    if run_id:
        run = await _find_or_restore_run(request, agent_id, run_id, convert, run_input.resource)
        run = _require_run(run)
    else:
        if run_input.decisions:  # the frames before a decision are counted, too
            before = await _find_or_restore_run(
                request, agent_id, run_input.run_id, convert, run_input.resource
            )
            await _wait_for_rest(before)
        run = start_live_run(
            request, agent_id, run_input, chunks, convert=convert, announce=announce, chat=chat
        )
        if request.headers.get(_ABORT, "").lower() != "false" and run.durable is None:
            run.abort_without_readers(_find_subscribers(request, agent_id, run_input, announce))
    abort = request.headers.get(_ABORT, "").lower() == "true"
    return sse_response(run.stream_frames(after), run.build_disconnect_callback(at_once=abort))


async def _find_or_restore_run(
    request: _Request,
    agent_id: str,
    run_id: str,
    convert: ChunkConverter = keep_chunk,
    resource: str = "",
) -> LiveRun | None:
    """Return a run of this server; start to read a durable run if no task reads it yet.

    :raises NotFound: when a durable agent has no such run that the caller may see.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a durable run with this id.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    agent = find_durable_agent(request, agent_id)
    run = runs.find(run_id, agent_id, owner, thread)
    if agent is not None and run is not None:
        run = await _drop_ambiguous(agent, run, resource)
    if agent is None or (run is not None and run.is_running):
        return _require_same_resource(run, resource)
    run_input = await agent.get_input(run_id, owner or resource)
    if thread not in ("", run_input.thread):
        raise NotFound("Agent run not found")
    chunks = await stream_durable_run(request, agent, run_input)
    run = runs.find(run_id, agent_id, owner)
    if run is not None and run.is_running:  # another reader was faster
        await chunks.aclose()
        if (run.resource, run.thread) != (run_input.resource, run_input.thread):
            raise Conflict(f"The run {run.id!r} of another resource is running.")
        return run
    runs.forget_finished(run_id, agent_id, owner)
    return runs.start(
        chunks,
        run_id,
        agent_id,
        owner,
        caller=identify_caller(request.scope),
        memory=(run_input.resource, run_input.thread),
        convert=convert,
        durable=find_durable_run(request, agent_id, run_id, run_input.resource),
    )


async def _drop_ambiguous(agent: DurableAgent, run: LiveRun, resource: str) -> LiveRun | None:
    """Return a durable run that is read here, unless a caller without a resource means another.

    :raises Conflict: when the caller names no resource, and several have a run with this id.
    """
    if resource or not run.resource:
        return run
    try:
        stored = await agent.get_input(run.id)
    except NotFound:  # it has not been stored yet
        return run
    return run if stored.resource == run.resource else None


def _require_same_resource(run: LiveRun | None, resource: str) -> LiveRun | None:
    """Return a run, unless it is that of another resource than the one that the caller names."""
    if run is None or resource in ("", run.resource):
        return run
    if run.durable is None:
        return None
    raise Conflict(f"The run {run.id!r} of another resource is running.")


def _require_run(run: LiveRun | None) -> LiveRun:
    if run is None:
        raise NotFound("Agent run not found")
    return run


def _build_scope(request: _Request, resource: str) -> RunScope:
    """Return which runs of other servers the caller may see."""
    return RunScope(restrict_to_resource(request), restrict_to_thread(request), resource)


async def _wait_for_rest(run: LiveRun | None) -> None:
    """Wait until all chunks of a suspended durable run have been read."""
    if run is not None and run.durable is not None:
        await run.wait()


def _find_subscribers(
    request: _Request, agent_id: str, run_input: AgentInput, announce: bool
) -> Callable[[], bool]:
    """Return a function that returns whether subscribers receive the run."""
    threads: ThreadRuns = request.app.state.thread_runs
    key = get_thread_key(agent_id, run_input)
    return lambda: announce and threads.has_listeners(key)


def start_live_run(
    request: _Request,
    agent_id: str,
    run_input: AgentInput,
    chunks: AsyncGenerator[dict[str, Any]],
    *,
    convert: ChunkConverter = keep_chunk,
    announce: bool = True,
    chat: str = "",
    is_waiting: bool = False,
) -> LiveRun:
    """Start a run, or continue a suspended run.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_input: the input of the run.
    :param chunks: the chunks of the run.
    :param convert: converts each chunk to those that the readers receive.
    :param announce: whether subscribers of the run's thread receive ``chunks``.
    :param chat: id of the chat in which the run answers; empty for none.
    :param is_waiting: whether the run waits for other servers. ``ThreadRuns.end_waiting`` then
        announces it to subscribers.
    :returns: the run.
    :raises Conflict: when a run with this id is still running.
    :raises TooManyRuns: when too many runs are running.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, run_id = restrict_to_resource(request), run_input.run_id
    durable = find_durable_run(request, agent_id, run_id, run_input.resource)
    if durable is not None and not run_input.decisions:  # another resource may have used the id
        runs.forget_finished(run_id, agent_id, owner)
    run = runs.start(
        chunks,
        run_id,
        agent_id,
        owner,
        caller=identify_caller(request.scope),
        size=run_input.estimate_size(),
        memory=(run_input.resource, run_input.thread),
        convert=convert,
        durable=durable,
    )
    run.chat, run.is_waiting = chat, is_waiting
    remote = request.app.state.remote_runs
    if remote is not None:
        remote.set_stamp(run)
    if announce and run_input.thread:
        threads: ThreadRuns = request.app.state.thread_runs
        threads.add(get_thread_key(agent_id, run_input), run)
    if remote is not None and not is_waiting:
        key = get_thread_key(agent_id, run_input)
        remote.announce(run, key if announce else (*key[:2], ""))
    return run


def get_thread_key(agent_id: str, run_input: AgentInput) -> ThreadKey:
    """Return the key of the thread to which a run belongs.

    :param agent_id: the id of the agent.
    :param run_input: the input of the run.
    """
    return agent_id, run_input.resource, run_input.thread


async def observe_live_run(
    request: _Request, agent_id: str, run_id: str, offset: int = 0, *, resource: str | None = None
) -> StreamResponse:
    """Respond with the stream of an existing run.

    :param request: the request; its header ``Last-Event-ID`` wins over ``run_id`` and ``offset``.
    :param agent_id: the id of the agent.
    :param run_id: the id of the run.
    :param offset: the number of frames to skip.
    :param resource: the owner that the caller names; any by default.
    :raises NotFound: when there is no such run that the caller may see.
    :raises Forbidden: when the caller names another resource than its own.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a durable run with this id.
    """
    resource = restrict_to_resource(request, resource or "")
    name, after = _read_last_event_id(request)
    run_id, after = name or run_id, offset if after is None else after
    remote = request.app.state.remote_runs
    run = await _find_or_restore_run(request, agent_id, run_id, resource=resource)
    if run is None and remote is not None:
        scope = _build_scope(request, resource)
        return sse_response(await remote.observe(agent_id, scope, run_id, after))
    return respond_with_run(_require_run(run), after)


async def abort_live_run(request: _Request, agent_id: str, run_id: str, resource: str = "") -> None:
    """Abort a run of this caller, on this server or another one.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_id: the id of the run.
    :param resource: the owner that the caller names; any by default.
    :raises NotFound: when there is no such run that the caller may see.
    :raises Forbidden: when the caller names another resource than its own.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a durable run with this id.
    """
    resource = restrict_to_resource(request, resource)
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    run = runs.find(run_id, agent_id, owner, thread)
    agent = find_durable_agent(request, agent_id)
    if agent is not None and run is not None:
        run = await _drop_ambiguous(agent, run, resource)
    is_read = run is not None and run.is_running and resource in ("", run.resource)
    if agent is not None and not is_read:
        await _cancel_stored_run(request, agent_id, run_id, resource)
        return
    run, remote = _require_same_resource(run, resource), request.app.state.remote_runs
    is_remote = run is None and remote is not None
    if not (is_remote and await remote.abort(agent_id, _build_scope(request, resource), run_id)):
        await _require_run(run).abort()


async def _cancel_stored_run(request: _Request, agent_id: str, run_id: str, resource: str) -> None:
    """Cancel a durable run that this server does not read."""
    agent, thread = find_durable_agent(request, agent_id), restrict_to_thread(request)
    assert agent is not None  # noqa: S101  # the caller has looked
    if thread and thread != (await agent.get_input(run_id, resource)).thread:
        raise NotFound("Agent run not found")
    await agent.cancel_run(run_id, resource)


def respond_with_run(run: LiveRun, after: int = 0) -> StreamResponse:
    """Respond with the stream of a run.

    :param run: the run.
    :param after: the number of frames to skip.
    """
    return sse_response(run.stream_frames(after), run.build_disconnect_callback())


def find_chat_run(request: _Request, agent_id: str, chat: str) -> LiveRun | None:
    """Return the active run of a chat of this caller.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param chat: the id of the chat.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    return runs.find_chat(chat, agent_id, owner, thread)


def is_reconnect(request: _Request) -> bool:
    """Return whether a request only reads on in the run that ``Last-Event-ID`` names.

    :param request: the request.
    """
    return bool(_read_last_event_id(request)[0])


def _read_last_event_id(request: _Request) -> tuple[str, int | None]:
    """Return the run id and the frame number in ``Last-Event-ID``."""
    name, _, number = request.headers.get("last-event-id", "").rpartition("/")
    if name and number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS:
        return name, int(number)
    return "", None
