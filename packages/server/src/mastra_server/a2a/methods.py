"""The methods of A2A: send a message, and get, list, cancel or follow a task."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from litestar import Request

from mastra_core.agents import AgentLike
from mastra_core.errors import RequestError
from mastra_core.random_id import generate_id
from mastra_server.a2a.json_rpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    A2aError,
    RpcRequest,
    build_error,
    build_result,
    convert_error,
)
from mastra_server.a2a.method_params import ListParams, SendParams, TaskParams, to_plain_message
from mastra_server.a2a.task import Task
from mastra_server.a2a.task_reader import TaskReader
from mastra_server.a2a.task_runs import cancel_task, start_task_run
from mastra_server.a2a.task_store import TaskStore, get_task_store
from mastra_server.a2a.version_1 import to_new_event, to_new_task
from mastra_server.http.dates import parse_iso
from mastra_server.http.request_body import check_metadata, convert_value, require_id
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import json_response
from mastra_server.http.sse import HEARTBEAT, encode_event, sse_response

__all__ = ("answer_call",)

T = TypeVar("T")
_Request = Request[Any, Any, Any]
_NOT_CANCELABLE = -32002
_NO_NOTIFICATIONS = -32003
_NO_EXTENDED_CARD = -32007
_NEW_NAMES = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "ListTasks": "tasks/list",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "CreateTaskPushNotificationConfig": "tasks/pushNotificationConfig/set",
    "GetTaskPushNotificationConfig": "tasks/pushNotificationConfig/get",
    "ListTaskPushNotificationConfigs": "tasks/pushNotificationConfig/list",
    "DeleteTaskPushNotificationConfig": "tasks/pushNotificationConfig/delete",
    "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
}
_ANY_STATE = ("", "unspecified", "unrecognized")  # the last one is from Mastra's client
_STREAMS = ("message/stream", "tasks/resubscribe")


async def answer_call(request: _Request, agent: AgentLike, rpc: RpcRequest, version: str) -> Any:
    """Call a method, and build the response.

    :param request: the request.
    :param agent: the agent.
    :param rpc: the call.
    :param version: the version of the protocol: ``0.3`` or ``1.0``.
    :returns: the response, which contains the error if the protocol defines one.
    :raises RequestError: for an error that has its own HTTP status.
    """
    is_new = version == "1.0"
    method = _NEW_NAMES.get(rpc.method, "") if is_new else ""
    method = method or ("" if rpc.method in _NEW_NAMES else rpc.method)
    call = _Call(request, agent, rpc, is_new=is_new)
    try:
        if method == "message/stream":
            return call.stream(await call.start_stream())
        if method == "tasks/resubscribe":
            return call.stream(call.find_task())
        return json_response(build_result(rpc, await _call_method(call, method)))
    except RequestError as error:
        converted = convert_error(error)
        if converted is None:
            raise
        body = build_error(rpc, converted)
    except A2aError as error:
        body = build_error(rpc, error)
    if method in _STREAMS:
        return sse_response(_yield_frame(encode_event(body)))
    return json_response(body)


async def _call_method(call: _Call, method: str) -> Any:
    match method:
        case "message/send":
            return await call.send()
        case "tasks/get":
            return call.get()
        case "tasks/cancel":
            return await call.cancel()
        case "tasks/list" if call.is_new:
            return call.list()
        case "agent/getAuthenticatedExtendedCard":
            raise A2aError(_NO_EXTENDED_CARD, "Extended agent card is not configured")
    if method.startswith("tasks/pushNotificationConfig/"):
        raise _build_notification_error()
    raise A2aError(METHOD_NOT_FOUND, f"Method not found: {call.rpc.method[:100]}")


class _Call:
    """One call of a method.

    :param request: the request.
    :param agent: the agent.
    :param rpc: the envelope.
    :param is_new: whether parameters and results have the form of version 1.0.
    """

    def __init__(
        self, request: _Request, agent: AgentLike, rpc: RpcRequest, *, is_new: bool
    ) -> None:
        self.rpc = rpc
        self.is_new = is_new
        self._request = request
        self._agent = agent
        self._owner = restrict_to_resource(request)

    @property
    def _store(self) -> TaskStore:
        return get_task_store(self._request.app.state)

    async def send(self) -> dict[str, Any]:
        """Send a message, and wait for the end of the run if the caller requests this."""
        params = self._read_params(SendParams)
        task = self._open_task(params)
        is_blocking = params.configuration.is_blocking
        if is_blocking or not task.is_active or not task.history:
            await self._start(task, params, is_streamed=False)
        if is_blocking:
            await _wait_for_end(task)
        if is_blocking and task.error:
            raise A2aError(INTERNAL_ERROR, task.error, {"taskId": task.id})
        result = task.build(params.configuration.history_length)
        return to_new_event(result) if self.is_new else result

    async def start_stream(self) -> Task:
        """Send a message, and return the task to stream; abort the run if it has no readers."""
        params = self._read_params(SendParams)
        task = self._open_task(params)
        await self._start(task, params, is_streamed=True)
        if task.run is not None:
            task.run.abort_without_readers(lambda: bool(task.readers))
        return task

    def find_task(self) -> Task:
        """Return the task that the parameters name."""
        return self._get_task(self._read_params(TaskParams).id)

    def get(self) -> dict[str, Any]:
        """Get a task."""
        params = self._read_params(TaskParams)
        task = self._get_task(params.id).build(params.history_length)
        return to_new_task(task) if self.is_new else task

    async def cancel(self) -> dict[str, Any]:
        """Cancel a task."""
        task = self.find_task()
        if task.is_final:
            raise A2aError(_NOT_CANCELABLE, f"Task not cancelable: {task.id}")
        await cancel_task(self._request, self._agent, task)
        return to_new_task(task.build()) if self.is_new else task.build()

    def list(self) -> dict[str, Any]:
        """List the tasks of the agent."""
        params = self._read_params(ListParams)
        start, size = int(params.page_token or 0), params.page_size or 50
        params.context_id = restrict_to_thread(self._request, params.context_id or "")
        found = [*filter(_build_filter(params), self._store.list(self._agent.id, self._owner))]
        found.sort(key=lambda task: (task.changed_at, task.id), reverse=True)
        page = [
            to_new_task(task.build(params.history_length, has_artifacts=params.include_artifacts))
            for task in found[start : start + size]
        ]
        end = start + len(page)
        return {
            "tasks": page,
            "nextPageToken": str(end) if end < len(found) else "",
            "pageSize": size,
            "totalSize": len(found),
        }

    def stream(self, task: Task) -> Any:
        """Respond with the stream of a task."""
        reader = TaskReader(task)
        end_reading = task.run.build_disconnect_callback() if task.run is not None else None

        async def close() -> None:
            reader.close()
            if end_reading is not None:
                await end_reading()

        return sse_response(self._encode_updates(reader), close)

    async def _encode_updates(self, reader: TaskReader) -> AsyncGenerator[bytes]:
        async with contextlib.aclosing(reader.stream()) as updates:
            async for update in updates:
                if update is None:
                    yield HEARTBEAT
                    continue
                result = to_new_event(update) if self.is_new else update
                yield encode_event(build_result(self.rpc, result))

    def _read_params(self, type_: type[T]) -> T:
        return convert_value({} if self.rpc.params is None else self.rpc.params, type_, "params")

    def _get_task(self, task_id: str) -> Task:
        task = self._store.get(self._agent.id, self._owner, task_id)
        restrict_to_thread(self._request, task.context_id)
        return task

    def _open_task(self, params: SendParams) -> Task:
        """Return the task that a message continues, or a new task."""
        if params.configuration.has_push_notifications:
            raise _build_notification_error()
        message = params.message
        if not message.task_id:
            return self._create_task(params)
        task = self._get_task(message.task_id)
        if task.is_final:
            text = f"Task {task.id} is in terminal state {task.state} and cannot be restarted."
            raise A2aError(INVALID_REQUEST, text)
        return task

    def _create_task(self, params: SendParams) -> Task:
        check_metadata(params.metadata, "params.metadata")
        metadata = params.metadata or {}
        places = (metadata, params.message.metadata or {})
        names = [each["resourceId"] for each in places if each.get("resourceId") not in (None, "")]
        named = require_id(names[0], "params.metadata.resourceId") if names else ""
        thread = restrict_to_thread(self._request, params.message.context_id or "")
        resource = restrict_to_resource(self._request, named) or self._agent.id
        context_id = thread or generate_id()
        return Task(self._agent.id, self._owner, context_id, resource, metadata)

    async def _start(self, task: Task, params: SendParams, *, is_streamed: bool) -> None:
        message = {**to_plain_message(params.message), "taskId": task.id}
        message["contextId"] = task.context_id
        await start_task_run(self._request, self._agent, task, message, is_streamed=is_streamed)


def _build_notification_error() -> A2aError:
    return A2aError(_NO_NOTIFICATIONS, "Push Notification is not supported")


def _build_filter(params: ListParams) -> Callable[[Task], bool]:
    status = str(params.status or "").removeprefix("TASK_STATE_").lower().replace("_", "-")
    since = parse_iso(params.status_timestamp_after, "params.statusTimestampAfter")

    def matches(task: Task) -> bool:
        return (
            (not params.context_id or task.context_id == params.context_id)
            and status in (*_ANY_STATE, task.state)
            and (since is None or task.changed_at >= since)
        )

    return matches


async def _wait_for_end(task: Task) -> None:
    """Wait until the run of a task ends; if the request takes too long, stop the run."""
    if task.run is None:
        return
    try:
        await task.run.wait()
    except asyncio.CancelledError:
        await task.run.abort()
        raise


async def _yield_frame(frame: bytes) -> AsyncGenerator[bytes]:
    yield frame
