"""Start, observe and abort the agent runs that requests name."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from litestar import Request

from mastra_core.agents import AgentInput
from mastra_core.errors import Conflict, NotFound
from mastra_server.agents.durable_runs import (
    find_durable_agent,
    find_durable_run,
    stream_durable_run,
)
from mastra_server.agents.live_run import ChunkConverter, LiveRun, keep_chunk
from mastra_server.agents.live_runs import LiveRuns, RunScope
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import StreamResponse
from mastra_server.http.sse import sse_response

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent

__all__ = (
    "abort_live_run",
    "find_chat_run",
    "get_thread_key",
    "is_reconnect",
    "observe_live_run",
    "respond_with_run",
    "respond_with_stream",
    "start_live_run",
)

_MAX_DIGITS = 15  # of a frame number
_ABORT = "x-mastra-abort-on-disconnect"

_Request = Request[Any, Any, Any]


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

    A run is aborted soon after its last reader has disconnected, unless its thread has a subscriber
    or the run is durable. With ``x-mastra-abort-on-disconnect: false`` the run continues after the
    disconnect, and with ``true`` it is aborted at once. If the client reconnects, the existing run
    is streamed, and ``chunks`` is not used.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_input: the input of the run.
    :param chunks: the chunks of the run.
    :param convert: a function that converts each chunk to the chunks that readers receive.
    :param announce: whether subscribers of the run's thread receive ``chunks``.
    :param chat: the id of the chat that the run answers; empty without a chat.
    :returns: the stream.
    :raises NotFound: when the run that ``Last-Event-ID`` names is unknown, or no longer kept.
    """
    run_id, after = _read_last_event_id(request)
    if run_id:
        run = await _find_or_restore_run(request, agent_id, run_id, convert, run_input.resource)
        run = _require_run(run)
    else:
        if run_input.decisions:  # the numbers of frames continue after a decision
            before = None
            with contextlib.suppress(NotFound):  # the run began before the agent was durable
                before = await _find_or_restore_run(
                    request, agent_id, run_input.run_id, convert, run_input.resource
                )
            if before is not None and before.durable is not None:
                await before.wait()
        run = start_live_run(
            request, agent_id, run_input, chunks, convert=convert, announce=announce, chat=chat
        )
        if request.headers.get(_ABORT, "").lower() != "false" and run.durable is None:
            has_listeners = _build_listener_check(request, agent_id, run_input)
            run.abort_without_readers(lambda: announce and has_listeners())
    at_once = request.headers.get(_ABORT, "").lower() == "true"
    return sse_response(run.stream_frames(after), run.build_disconnect_callback(at_once=at_once))


async def _find_or_restore_run(
    request: _Request,
    agent_id: str,
    run_id: str,
    convert: ChunkConverter = keep_chunk,
    resource: str = "",
) -> LiveRun | None:
    """Return a run of this server; if nobody reads a durable run here yet, start to read it.

    :raises NotFound: when the agent is durable, and the caller may see no run with this id.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a durable run with this id.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    agent = find_durable_agent(request, agent_id)
    run = await _find_run(request, agent, agent_id, run_id, resource)
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


async def _find_run(
    request: _Request, agent: DurableAgent | None, agent_id: str, run_id: str, resource: str
) -> LiveRun | None:
    """Return the run that the caller means; ``None`` if this server does not execute or read it.

    :param agent: the agent if its runs are durable; otherwise ``None``.
    :param resource: the owner that the caller names; empty for any.
    :raises Conflict: when the caller names no resource, and several resources have a durable run
        with this id.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    run = runs.find(run_id, agent_id, owner, thread)
    if agent is None or run is None or resource or not run.resource:
        return run
    try:
        stored = await agent.get_input(run.id)
    except NotFound:  # it has not been stored yet
        return run
    return run if stored.resource == run.resource else None


def _require_same_resource(run: LiveRun | None, resource: str) -> LiveRun | None:
    """Return a run, unless the caller names a resource and the run belongs to another resource.

    :raises Conflict: when the run belongs to another resource and is durable.
    """
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


def _build_listener_check(
    request: _Request, agent_id: str, run_input: AgentInput
) -> Callable[[], bool]:
    """Return a function that returns whether anybody listens to the thread of a run."""
    threads: ThreadRuns = request.app.state.thread_runs
    return partial(threads.has_listeners, get_thread_key(agent_id, run_input))


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
    :param convert: a function that converts each chunk to the chunks that readers receive.
    :param announce: whether subscribers of the run's thread receive ``chunks``.
    :param chat: the id of the chat that the run answers; empty without a chat.
    :param is_waiting: whether the run waits for runs of other servers. ``ThreadRuns.end_waiting``
        announces a waiting run to the subscribers of its thread.
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

    :param request: the request. The request's header ``Last-Event-ID`` takes precedence over
        ``run_id`` and ``offset``.
    :param agent_id: the id of the agent.
    :param run_id: the id of the run.
    :param offset: the number of frames to skip.
    :param resource: the owner that the caller names; any by default.
    :raises NotFound: when the caller may see no run with this id.
    :raises Forbidden: when the caller names a resource that it may not access.
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
        return sse_response(*await remote.observe(agent_id, scope, run_id, after))
    return respond_with_run(_require_run(run), after)


async def abort_live_run(request: _Request, agent_id: str, run_id: str, resource: str = "") -> None:
    """Abort a run of this caller, on this server or another one.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param run_id: the id of the run.
    :param resource: the owner that the caller names; any by default.
    :raises NotFound: when the caller may see no run with this id.
    :raises Forbidden: when the caller names a resource that it may not access.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a durable run with this id.
    """
    resource = restrict_to_resource(request, resource)
    agent = find_durable_agent(request, agent_id)
    run = await _find_run(request, agent, agent_id, run_id, resource)
    is_read = run is not None and run.is_running and resource in ("", run.resource)
    if agent is not None and not is_read:
        await _cancel_stored_run(request, agent, run_id, resource)
        return
    run, remote = _require_same_resource(run, resource), request.app.state.remote_runs
    is_remote = run is None and remote is not None
    if not (is_remote and await remote.abort(agent_id, _build_scope(request, resource), run_id)):
        await _require_run(run).abort()


async def _cancel_stored_run(
    request: _Request, agent: DurableAgent, run_id: str, resource: str
) -> None:
    """Cancel a durable run that this server does not read."""
    thread = restrict_to_thread(request)
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
    """Return whether a request only continues to read the run that ``Last-Event-ID`` names.

    :param request: the request.
    """
    return bool(_read_last_event_id(request)[0])


def _read_last_event_id(request: _Request) -> tuple[str, int | None]:
    """Return the run id and the frame number in ``Last-Event-ID``."""
    text = request.headers.get("last-event-id", "")
    with contextlib.suppress(UnicodeError):  # an event source sends UTF-8, `fetch` Latin-1
        text = text.encode("latin-1").decode()
    name, _, number = text.rpartition("/")
    if name and number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS:
        return name, int(number)
    return "", None
