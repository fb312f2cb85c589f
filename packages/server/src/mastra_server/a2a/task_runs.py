"""Run an agent for a task, and record its chunks in the task."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request

from mastra_core.agents import AgentInput, AgentLike, ApprovalRequired
from mastra_core.errors import Conflict, NotFound, RequestError
from mastra_server.a2a.json_rpc import INVALID_REQUEST, A2aError
from mastra_server.a2a.message_parts import read_resume_data, to_agent_messages
from mastra_server.a2a.task import Task, build_message
from mastra_server.a2a.task_store import get_task_store
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.cancel_runs import cancel_suspended_run
from mastra_server.agents.run_streams import start_live_run
from mastra_server.agents.stream import resume_agent, stream_agent
from mastra_server.agents.suspended_runs import (
    build_resume_input,
    build_waiting_decision,
    find_waiting_call,
    get_suspended_run,
    get_suspended_runs,
)
from mastra_server.http.callers import identify_caller
from mastra_server.http.request_context import build_context

__all__ = ("cancel_task", "start_task_run")

_Request = Request[Any, Any, Any]
_WAITING = ("tool-call-approval", "tool-call-suspended")
_PROMPT = "Additional input is required to continue this task."
_CANCELLED = "Task cancelled by request."


async def start_task_run(
    request: _Request, agent: AgentLike, task: Task, message: dict[str, Any], *, is_streamed: bool
) -> None:
    """Start the run of a new task, or resume the run of a task that waits for input.

    :param request: the request.
    :param agent: the agent.
    :param task: the task.
    :param message: the message, in the form of version 0.3.
    :param is_streamed: whether text and data become separate artifacts.
    :raises A2aError: when the run of the task is no longer suspended.
    :raises Conflict: when the task is working.
    :raises Forbidden: when the thread belongs to another resource.
    :raises InvalidBody: when a message cannot be read, or does not fit what the run waits for.
    :raises TooManyRuns: when too many runs are running.
    """
    suspended_runs = get_suspended_runs(request)
    state, run = task.state, task.run
    if state == "input-required":
        run_input = await _build_resume_input(request, agent, task, message)
        chunks = resume_agent(agent, run_input, suspended_runs)
    else:
        run_input = _build_run_input(request, task, message)
        await check_thread_access(agent, run_input)
        chunks = stream_agent(agent, run_input, suspended_runs)
    if (task.state, task.run) != (state, run):  # another request was faster
        raise Conflict(f"Another request has changed the task {task.id}.")
    store = get_task_store(request.app.state)
    recorded = _record_chunks(task, chunks, request.app.state.mastra.server.run_timeout)
    task.run = start_live_run(request, agent.id, run_input, recorded)
    task.start(message, is_streamed=is_streamed)
    store.put(task, run_input.caller)

    def end_task() -> None:
        task.settle()
        store.put(task, run_input.caller)

    task.run.on_end(end_task)


async def cancel_task(request: _Request, agent: AgentLike, task: Task) -> None:
    """Cancel a task, and stop its run.

    :param request: the request.
    :param agent: the agent.
    :param task: a task that is not final.
    """
    task.set_state("canceled", build_message(_CANCELLED))
    if task.run is not None:
        await task.run.abort()
    await cancel_suspended_run(request, agent, task.id, task.resource)


def _build_run_input(request: _Request, task: Task, message: dict[str, Any]) -> AgentInput:
    return AgentInput(
        messages=to_agent_messages(message),
        context=build_context(request),
        thread=task.context_id,
        resource=task.resource,
        run_id=task.id,
        caller=identify_caller(request.scope),
    )


async def _build_resume_input(
    request: _Request, agent: AgentLike, task: Task, message: dict[str, Any]
) -> AgentInput:
    try:
        run = await get_suspended_run(request, agent, task.id, task.resource)
    except NotFound:
        text = f"Task {task.id} waits for input, but its run is no longer kept."
        raise A2aError(INVALID_REQUEST, text) from None
    call = find_waiting_call(run, task.waiting_call)
    data = read_resume_data(message, is_approval=isinstance(call, ApprovalRequired))
    decision = build_waiting_decision(agent, call, data)
    return build_resume_input(request, agent, run, {call.id: decision}, None)


async def _record_chunks(
    task: Task, chunks: AsyncGenerator[dict[str, Any]], seconds: float
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of a run, and record them in its task."""
    recorder, started_at = _Recorder(task), time.monotonic()
    try:
        async with contextlib.aclosing(chunks) as items:
            async for chunk in items:
                recorder.add(chunk)
                yield chunk
    except (asyncio.CancelledError, GeneratorExit):
        if time.monotonic() - started_at >= seconds:
            recorder.fail(f"The run took longer than {seconds:g} s.")
        raise
    except RequestError as error:  # another request has resumed the run
        recorder.fail(error.message)
        return
    except Exception:
        recorder.fail("Internal Server Error")
        raise
    recorder.finish()


class _Recorder:
    """Records the chunks of one run in its task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._waiting: dict[str, Any] = {}
        self._calls: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []

    def add(self, chunk: dict[str, Any]) -> None:
        """Record a chunk."""
        if not self._task.is_active:  # the task was cancelled
            return
        match chunk["type"]:
            case "text-delta":
                self._task.add_text(chunk["payload"]["text"])
            case "step-finish" if chunk["payload"]["stepResult"]["isContinued"]:
                self._task.drop_text()
            case "object-result":
                self._task.set_object(chunk["object"])
            case "tool-call":
                self._calls.append(chunk)
            case "tool-result":
                self._results.append(chunk)
            case "error":
                self.fail(chunk["payload"]["error"]["message"])
            case kind if kind in _WAITING:
                self._waiting = self._waiting or chunk["payload"]
            case "finish":
                self._record_execution(chunk["payload"])

    def fail(self, text: str) -> None:
        """End the task with an error."""
        if self._task.is_active:
            self._task.error = text
            self._task.set_state("failed", build_message(f"Handler failed: {text}"))

    def finish(self) -> None:
        """End the task; if its run waits, report what the run waits for."""
        if not self._task.is_active:
            return
        if not self._waiting:
            self._task.set_state("completed")
            return
        task, payload = self._task, self._waiting
        task.waiting_call = payload["toolCallId"]
        message = build_message(_get_prompt(payload), taskId=task.id, contextId=task.context_id)
        data = {"suspendPayload": payload, "resumeSchema": payload["resumeSchema"]}
        message["parts"].append({"kind": "data", "data": data})
        task.set_state("input-required", message)

    def _record_execution(self, payload: dict[str, Any]) -> None:
        self._task.metadata["execution"] = {
            "toolCalls": self._calls,
            "toolResults": self._results,
            "usage": payload["output"]["usage"],
            "finishReason": payload["stepResult"]["reason"],
        }


def _get_prompt(payload: dict[str, Any]) -> str:
    """Return the message of a suspended tool call, if it has one."""
    needed = payload.get("suspendPayload")
    text = needed.get("message") if isinstance(needed, dict) else None
    return text if isinstance(text, str) and text else _PROMPT
