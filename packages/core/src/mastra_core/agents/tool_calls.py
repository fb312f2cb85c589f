"""Execute a tool for a call of a model; shared by every loop that calls our tools."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from mastra_core.agents.messages import AgentInput
from mastra_core.errors import AgentFailed, InvalidInput
from mastra_core.logger import get_logger
from mastra_core.redaction import safe_message
from mastra_core.request_scope import is_being_cancelled
from mastra_core.schema import encode_json
from mastra_core.telemetry import is_recording
from mastra_core.tools import Tool, ToolContext
from mastra_core.usage import Usage

__all__ = (
    "ApprovalNeeded",
    "ToolInvocation",
    "describe_invalid_input",
    "describe_tool_error",
    "invoke_tool",
)


class ApprovalNeeded(Exception):
    """The call waits for a person's approval, so the tool was not executed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolInvocation:
    """One call of a tool in a run.

    :param run_input: the input of the run.
    :param call_id: id of the model's call.
    :param write: sends an output of the tool to the readers of the run.
    :param count: adds token usage to the run.
    :param approved: whether a person has approved the call.
    :param resume_data: the data that a suspended tool waited for.
    """

    run_input: AgentInput
    call_id: str
    write: Callable[[Any], Awaitable[None]]
    count: Callable[[Usage], None]
    approved: bool = False
    resume_data: Any = None


async def invoke_tool(item: Tool, arguments: Mapping[str, Any], invocation: ToolInvocation) -> Any:
    """Validate the arguments, check the approval, and call the function of a tool.

    :param item: the tool.
    :param arguments: the model's arguments, JSON builtins.
    :param invocation: the call.
    :returns: the result as JSON builtins.
    :raises InvalidInput: when the arguments do not fit the parameters.
    :raises ApprovalNeeded: when a person must approve the call first.
    :raises AgentFailed: when the tool raises ``CancelledError``, and the run was not cancelled.
    """
    try:
        return await _invoke(item, arguments, invocation)
    except asyncio.CancelledError:
        if is_being_cancelled():
            raise
        raise AgentFailed(
            f"The tool {item.id!r} waited for a task that was cancelled.", kind="CancelledError"
        ) from None


async def _invoke(item: Tool, arguments: Mapping[str, Any], invocation: ToolInvocation) -> Any:
    values = item.parse_arguments(arguments)
    if not invocation.approved and (
        invocation.run_input.require_approval or await item.is_approval_required(values)
    ):
        raise ApprovalNeeded
    if not item.context_names:
        # Its span has the id of the call.
        return await item.call(values, _build_context(invocation) if is_recording() else None)
    context = _build_context(invocation)
    if context.resume_data is not None:
        data = item.parse_resume_data(context.resume_data)
        context = dataclasses.replace(context, resume_data=data)
    return await item.call(values, context)


def describe_tool_error(error: Exception, tool: str) -> str:
    """Return the sentence that the model and the caller get for an error of a tool; log the error.

    :param error: the exception that the tool raised.
    :param tool: id of the tool.
    """
    get_logger("mastra.agents").error("tool %r failed", tool, exc_info=error)
    return safe_message(error)


def describe_invalid_input(tool: str, arguments: Any, error: InvalidInput) -> dict[str, Any]:
    """Return the result of a call with invalid arguments, in Mastra's format.

    :param tool: id of the tool.
    :param arguments: the arguments, JSON builtins.
    :param error: the error, with an issue for each invalid argument.
    """
    lines = "".join(f"\n- {field}: {message}" for field, message in error.issues)
    fields = {field: {"errors": [message], "fields": {}} for field, message in error.issues}
    return {
        "error": True,
        "message": f"Tool input validation failed for {tool}. Please fix the following errors and "
        f"try again:{lines or ' ' + error.message}\n\n"
        f"Provided arguments: {msgspec.json.format(encode_json(arguments)).decode()}",
        "validationErrors": {"errors": [], "fields": fields},
    }


def _build_context(invocation: ToolInvocation) -> ToolContext:
    run_input = invocation.run_input
    return ToolContext(
        request_context=run_input.context,
        run_id=run_input.run_id,
        call_id=invocation.call_id,
        thread=run_input.thread,
        resource=run_input.resource,
        caller=run_input.caller,
        resume_data=invocation.resume_data,
        writer=invocation.write,
        counter=invocation.count,
        journal=run_input.journal,
    )
