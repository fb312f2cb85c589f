"""Start agent runs, and respond with the streams of new and existing runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request

from mastra_core.agents import AgentInput
from mastra_core.errors import NotFound
from mastra_server.agents.durable_runs import find_durable_run
from mastra_server.agents.existing_runs import DurableRuns, get_existing_runs
from mastra_server.agents.last_event_id import read_last_event_id
from mastra_server.agents.live_run import ChunkConverter, LiveRun, keep_chunk
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import StreamResponse
from mastra_server.http.sse import sse_response

__all__ = (
    "find_chat_run",
    "get_thread_key",
    "observe_live_run",
    "respond_with_run",
    "respond_with_stream",
    "start_live_run",
)

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
    run_id, after = read_last_event_id(request)
    runs = get_existing_runs(request, agent_id, run_input.resource, convert)
    abort_setting = request.headers.get(_ABORT, "").lower()
    if run_id:
        run = await runs.get(run_id)
    else:
        if run_input.decisions and isinstance(runs, DurableRuns):
            # The numbers of frames continue after a decision, so the earlier part is read first.
            with contextlib.suppress(NotFound):  # the run began before the agent was durable
                await (await runs.get(run_input.run_id)).wait()
        run = start_live_run(
            request, agent_id, run_input, chunks, convert=convert, announce=announce, chat=chat
        )
        if abort_setting != "false" and run.durable is None:
            threads: ThreadRuns = request.app.state.thread_runs
            key = get_thread_key(agent_id, run_input)
            run.abort_without_readers(lambda: announce and threads.has_listeners(key))
    on_disconnect = run.build_disconnect_callback(at_once=abort_setting == "true")
    return sse_response(run.stream_frames(after), on_disconnect)


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
    runs = get_existing_runs(request, agent_id, resource or "")
    name, after = read_last_event_id(request)
    return sse_response(*await runs.observe(name or run_id, offset if after is None else after))


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


def respond_with_run(run: LiveRun) -> StreamResponse:
    """Respond with the stream of a run from its beginning.

    :param run: the run.
    """
    return sse_response(run.stream_frames(0), run.build_disconnect_callback())


def find_chat_run(request: _Request, agent_id: str, chat: str) -> LiveRun | None:
    """Return the active run of a chat of this caller.

    :param request: the request.
    :param agent_id: the id of the agent.
    :param chat: the id of the chat.
    """
    runs: LiveRuns = request.app.state.live_runs
    owner, thread = restrict_to_resource(request), restrict_to_thread(request)
    return runs.find_chat(chat, agent_id, owner, thread)
