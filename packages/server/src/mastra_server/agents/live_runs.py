"""Every agent run that streams: started, found again, resumed where a reader left."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request

from mastra_core.agents import AgentInput
from mastra_core.errors import Conflict, NotFound, TooManyRuns
from mastra_server.agents.live_run import LiveRun
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns
from mastra_server.http.request_context import confined
from mastra_server.http.responses import StreamAnswer
from mastra_server.http.sse import sse_answer

__all__ = ("LiveRuns", "begun", "live_answer", "live_run", "observed", "thread_key")

MOST_RUNNING = 1000
MOST_FINISHED = 1000
MOST_BYTES = 64 * 1024 * 1024  # of finished runs together
OLDEST = 300.0  # seconds that a finished run is kept
_ABORT = "x-mastra-abort-on-disconnect"

_Request = Request[Any, Any, Any]
_Key = tuple[str, str, str]


class LiveRuns:
    """The runs of this process, bounded by count, age and bytes.

    :param seconds: the most a run may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Key, LiveRun] = {}
        self._finished: OrderedDict[_Key, tuple[float, LiveRun]] = OrderedDict()
        self._bytes = 0

    def start(
        self, chunks: AsyncGenerator[dict[str, Any]], run_id: str, agent_id: str, owner: str = ""
    ) -> LiveRun:
        """Begin a run, or go on with one of that id that has ended: it was suspended.

        :raises Conflict: when it still runs.
        :raises TooManyRuns: when there are too many.
        """
        key = (agent_id, owner, run_id)
        if key in self._running:
            raise Conflict(f"The run {run_id!r} is running.")
        if len(self._running) >= MOST_RUNNING:
            raise TooManyRuns(
                f"There are {len(self._running)} runs at once, the most there may be."
            )
        run = self._taken_up(key) or LiveRun(run_id, agent_id, owner)
        self._running[key] = run
        run.go(chunks, self._seconds).add_done_callback(lambda _: self._settle(key, run))
        return run

    def get(self, run_id: str, agent_id: str, owner: str = "") -> LiveRun:
        """A run that goes on, or ended not long ago.

        :raises NotFound: when there is none, or it is somebody else's.
        """
        self._expire()
        key = (agent_id, owner, run_id)
        _, finished = self._finished.get(key, (0, None))
        run = self._running.get(key) or finished
        if run is None:
            raise NotFound("Agent run not found")
        return run

    async def close(self) -> None:
        """Stop what runs."""
        for run in [*self._running.values()]:
            await run.abort()

    def _taken_up(self, key: _Key) -> LiveRun | None:
        _, run = self._finished.pop(key, (0, None))
        self._bytes -= run.size if run else 0
        return run

    def _settle(self, key: _Key, run: LiveRun) -> None:
        self._running.pop(key, None)
        self._finished[key] = (time.monotonic(), run)
        self._bytes += run.size
        self._expire()

    def _expire(self) -> None:
        oldest = time.monotonic() - OLDEST
        while self._finished:
            ended, run = next(iter(self._finished.values()))
            few = len(self._finished) <= MOST_FINISHED and self._bytes <= MOST_BYTES
            if ended >= oldest and few:
                return
            self._finished.popitem(last=False)
            self._bytes -= run.size


def live_answer(
    request: _Request,
    agent_id: str,
    wish: AgentInput,
    chunks: AsyncGenerator[dict[str, Any]],
    *,
    told: bool = True,
) -> StreamAnswer:
    """The stream of a new run, or of one that went on while its reader was away: a reader that
    comes back brings the header ``Last-Event-ID``, and ``chunks`` are then not begun.

    The run goes on when its reader leaves, unless ``x-mastra-abort-on-disconnect: true`` was sent.

    :param told: whether those who listen to the run's thread are sent ``chunks``.
    :raises NotFound: when the run that the header names is not known (any more).
    """
    name, after = _seen(request)
    if name:
        run = live_run(request, agent_id, name)
    else:
        run = begun(request, agent_id, wish, chunks, told=told)
    abort = request.headers.get(_ABORT, "").lower() == "true"
    return sse_answer(run.frames(after), run.abort if abort else None)


def begun(
    request: _Request,
    agent_id: str,
    wish: AgentInput,
    chunks: AsyncGenerator[dict[str, Any]],
    *,
    told: bool = True,
) -> LiveRun:
    """A new run, or one that goes on after it was suspended.

    :raises Conflict: when one of its id still runs.
    :raises TooManyRuns: when there are too many.
    """
    runs: LiveRuns = request.app.state.live_runs
    run = runs.start(chunks, wish.run_id, agent_id, confined(request))
    if told and wish.thread:
        threads: ThreadRuns = request.app.state.thread_runs
        threads.follow(thread_key(agent_id, wish), run)
    return run


def thread_key(agent_id: str, wish: AgentInput) -> ThreadKey:
    """The thread that a run is in."""
    return agent_id, wish.resource, wish.thread


def observed(request: _Request, agent_id: str, run_id: str, offset: int = 0) -> StreamAnswer:
    """The stream of a run that exists, from frame ``offset`` or the header ``Last-Event-ID`` on.

    :raises NotFound: when there is none.
    """
    name, after = _seen(request)
    run = live_run(request, agent_id, name or run_id)
    return sse_answer(run.frames(offset if after is None else after))


def live_run(request: _Request, agent_id: str, run_id: str) -> LiveRun:
    """A run of this caller.

    :raises NotFound: when there is none.
    """
    runs: LiveRuns = request.app.state.live_runs
    return runs.get(run_id, agent_id, confined(request))


def _seen(request: _Request) -> tuple[str, int | None]:
    """The run and the number in ``Last-Event-ID``."""
    name, _, number = request.headers.get("last-event-id", "").rpartition("/")
    if name and number.isascii() and number.isdigit():
        return name, int(number)
    return "", None
