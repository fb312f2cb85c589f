"""Execute the tool calls of one turn at the same time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
from pydantic_ai.messages import ToolCallPart, ToolReturnPart

from mastra_core.agents.events import AgentEvent, ApprovalRequired, ToolOutput, ToolSuspended
from mastra_core.agents.loop.call_outcome import CallOutcome, PendingCall, UsageSink, Waiting
from mastra_core.agents.loop.recorded_calls import execute_once
from mastra_core.agents.loop.toolset import Toolset
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.pydantic_ai.convert_parts import load_arguments, parse_arguments
from mastra_core.agents.pydantic_ai.run_result import RESULT_KEY
from mastra_core.agents.tool_calls import (
    ApprovalNeeded,
    ToolInvocation,
    describe_invalid_input,
    describe_tool_error,
    invoke_tool,
)
from mastra_core.errors import InvalidInput
from mastra_core.logger import get_logger
from mastra_core.schema import dump
from mastra_core.tools import Tool, ToolSuspension

__all__ = ("CallBatch",)

_STARTS_PER_TURN = 100  # calls that start in one turn of the event loop
_MAX_OUTPUTS = 100  # tools wait when so many outputs are unread


class _ItemQueue:
    """A queue of tool outputs; a tool that writes must wait while too many of them are unread."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[ToolOutput | CallOutcome | BaseException] = asyncio.Queue()
        self._places = asyncio.Semaphore(_MAX_OUTPUTS)
        self._is_closed = False

    async def write(self, output: ToolOutput) -> None:
        await self._places.acquire()
        if self._is_closed:
            self._places.release()  # for the next output that waits
            await asyncio.sleep(0)  # a tool that only writes must not block the event loop
        else:
            self._items.put_nowait(output)

    def close(self) -> None:
        """Discard all later outputs; a tool that is ending, or its tasks, may still write some."""
        self._is_closed = True
        self._places.release()

    def end_call(self, item: CallOutcome | BaseException) -> None:
        self._items.put_nowait(item)

    def take_outcomes(self) -> list[CallOutcome]:
        """Remove all items, and return the outcomes of calls among them."""
        items = [self._items.get_nowait() for _ in range(self._items.qsize())]
        return [item for item in items if isinstance(item, CallOutcome)]

    async def read(self) -> ToolOutput | CallOutcome | BaseException:
        item = await self._items.get()
        if isinstance(item, ToolOutput):
            self._places.release()
        return item


@dataclasses.dataclass(frozen=True)
class CallBatch:
    """The tool calls of one turn.

    :param calls: the calls.
    :param toolset: the tools of the run.
    :param run_input: the input of the run.
    :param usage: counts the tokens that the tools use.
    :param stops_on_error: whether an error of a tool ends the run.
    """

    calls: Sequence[PendingCall]
    toolset: Toolset
    run_input: AgentInput
    usage: UsageSink
    stops_on_error: bool = False

    async def run(self, unread: list[CallOutcome]) -> AsyncGenerator[AgentEvent | CallOutcome]:
        """Execute the calls; yield the outputs of the tools and the outcome of each call.

        :param unread: receives the outcomes that exist when the batch ends before it yields them.
        """
        if len(self.calls) == 1 and not self._writes_outputs(self.calls[0]):
            yield await self._execute(self.calls[0], _ItemQueue())
            return
        queue = _ItemQueue()
        tasks: list[asyncio.Task[None]] = []
        try:
            for call in self.calls:
                tasks.append(asyncio.create_task(self._execute_into(call, queue)))
                if len(tasks) % _STARTS_PER_TURN == 0:
                    await asyncio.sleep(0)  # thousands of calls must not block the event loop
            waiting = len(tasks)
            while waiting:
                item = await queue.read()
                if isinstance(item, BaseException):
                    raise item
                waiting -= isinstance(item, CallOutcome)
                yield item
        finally:
            queue.close()
            await _cancel(tasks)
            unread += queue.take_outcomes()

    def _writes_outputs(self, call: PendingCall) -> bool:
        item = self.toolset.tools.get(call.part.tool_name)
        return item is not None and bool(item.context_names)

    async def _execute_into(self, call: PendingCall, queue: _ItemQueue) -> None:
        try:
            queue.end_call(await self._execute(call, queue))
        except BaseException as error:  # noqa: BLE001  # raised again by the reader of the queue
            queue.end_call(error)

    async def _execute(self, call: PendingCall, queue: _ItemQueue) -> CallOutcome:
        """Execute a call; in a durable run, return its recorded outcome if there is one."""
        journal = self.run_input.journal
        if journal is None:
            return await self.call_tool(call, queue)

        async def execute(name: str, usage: UsageSink) -> CallOutcome:
            run_input = msgspec.structs.replace(self.run_input, journal=journal.create_nested(name))
            batch = dataclasses.replace(self, run_input=run_input, usage=usage)
            return await batch.call_tool(call, queue)

        return await execute_once(journal, call, self.usage, execute)

    async def call_tool(self, call: PendingCall, queue: _ItemQueue) -> CallOutcome:
        """Call the tool, even if an outcome of the call is recorded.

        :param call: the call.
        :param queue: receives the outputs of the tool.
        """
        part = call.part
        item = self.toolset.tools.get(part.tool_name)
        if item is None:
            if call.approved:  # a new version of the app may have removed or renamed the tool
                get_logger("mastra.agents").warning(
                    "the approved call %r is not executed, because the agent has no tool %r",
                    part.tool_call_id,
                    part.tool_name,
                )
            return _fail(part, self._describe_unknown(part.tool_name))
        try:
            arguments = load_arguments(part)
        except ValueError:
            return _refuse(part, InvalidInput("The arguments are not a JSON object."))
        try:
            result = await invoke_tool(item, arguments, self._build_invocation(call, queue))
            content = await item.build_model_output(result)
        except (ApprovalNeeded, ToolSuspension) as reason:
            return CallOutcome(part=part, waiting=_build_waiting(item, part, reason))
        except InvalidInput as error:
            return _refuse(part, error)
        except Exception as error:
            if self.stops_on_error:
                raise
            return _fail(part, describe_tool_error(error, item.id))
        metadata = None if item.to_model_output is None else {RESULT_KEY: result}
        return CallOutcome(
            part=part,
            result=ToolReturnPart(part.tool_name, content, part.tool_call_id, metadata=metadata),
        )

    def _build_invocation(self, call: PendingCall, queue: _ItemQueue) -> ToolInvocation:
        part = call.part

        async def write(value: Any) -> None:
            output = value if isinstance(value, AgentEvent) else dump(value)
            await queue.write(ToolOutput(id=part.tool_call_id, name=part.tool_name, output=output))

        return ToolInvocation(
            run_input=self.run_input,
            call_id=part.tool_call_id,
            write=write,
            count=self.usage.add,
            approved=call.approved,
            resume_data=call.resume_data,
        )

    def _describe_unknown(self, name: str) -> str:
        names = ", ".join(map(repr, self.toolset.tools)) or "none"
        return f"Unknown tool name: {name!r}. Available tools: {names}."


def _build_waiting(
    item: Tool, part: ToolCallPart, reason: ApprovalNeeded | ToolSuspension
) -> Waiting:
    call, name, arguments = part.tool_call_id, part.tool_name, parse_arguments(part)
    if isinstance(reason, ToolSuspension):
        return ToolSuspended(
            id=call,
            name=name,
            arguments=arguments,
            payload=reason.payload,
            resume_schema=item.resume_schema,
        )
    return ApprovalRequired(id=call, name=name, arguments=arguments)


def _fail(part: ToolCallPart, message: str) -> CallOutcome:
    result = ToolReturnPart(part.tool_name, message, part.tool_call_id, outcome="failed")
    return CallOutcome(part=part, result=result)


def _refuse(part: ToolCallPart, error: InvalidInput) -> CallOutcome:
    """Return an error to the model, so that the model corrects the arguments."""
    content = describe_invalid_input(part.tool_name, parse_arguments(part), error)
    return CallOutcome(part=part, result=ToolReturnPart(part.tool_name, content, part.tool_call_id))


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
