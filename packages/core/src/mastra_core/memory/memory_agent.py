"""An agent with a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.events import AgentEvent, Failure, Finish, Start
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike, AgentOutput, get_attached_events
from mastra_core.agents.run_failures import to_failure, to_request_failure
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper
from mastra_core.errors import AgentFailed, MastraError, RequestError
from mastra_core.memory.memory import Memory
from mastra_core.memory.run_memory import RunMemory

__all__ = ("AgentWithMemory", "get_memory")


def get_memory(agent: AgentLike) -> Memory | None:
    """Return the memory of an agent.

    :param agent: any agent.
    :returns: the memory, ``None`` if there is none.
    """
    memory = getattr(agent, "memory", None)
    return memory if isinstance(memory, Memory) else None


class AgentWithMemory(AgentWrapper):
    """Runs an agent with the earlier messages of its thread, and stores the new messages.

    A run without a thread does not use the memory. An attribute that this class does not define is
    read from the wrapped agent.

    :param agent: the agent to run.
    :param memory: the memory.
    """

    def __init__(self, agent: AgentLike, memory: Memory) -> None:
        super().__init__(agent)
        self.memory = memory

    async def generate(self, input: AgentInput | str, /, **overrides: Any) -> AgentOutput:
        """Run the agent to the end, and return its output.

        If the run is cancelled, the tool calls that it has executed are still stored in the thread.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        :raises AgentFailed: when the run fails.
        :raises Forbidden: when the thread belongs to another resource.
        :raises InvalidInput: for a thread without a resource.
        """
        import asyncio

        run_input = AgentInput.from_value(input, overrides)
        if not run_input.thread:
            return await self._agent.generate(run_input)
        run_memory = await RunMemory.start(self._agent, self.memory, run_input)
        is_continued = False
        try:
            output = await self._agent.generate(run_memory.run_input)
            run_memory.add_output(output)
        except AgentFailed as error:
            run_memory.add_failure(error)
            raise
        except asyncio.CancelledError as error:
            is_continued = run_input.journal is not None  # by another process
            for event in get_attached_events(error):
                run_memory.add(event)
            raise
        finally:
            if not is_continued:
                await run_memory.save()
        return output if not output.events else _set_message_id(output, run_memory)

    def stream(self, input: AgentInput | str, /, **overrides: Any) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        The thread is stored before ``Finish`` is yielded.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``.
        """
        run_input = AgentInput.from_value(input, overrides)
        return (
            self._stream_with_memory(run_input)
            if run_input.thread
            else self._agent.stream(run_input)
        )

    async def _stream_with_memory(self, run_input: AgentInput) -> AsyncIterator[AgentEvent]:
        try:
            run_memory = await RunMemory.start(self._agent, self.memory, run_input)
        except MastraError as error:
            yield _to_failure(error, self.id)
            return
        try:
            async with close_at_end(self._agent.stream(run_memory.run_input)) as events:
                async for event in events:
                    run_memory.add(event)
                    if isinstance(event, Finish | Failure):
                        await run_memory.save()
                    yield run_memory.set_message_id(event) if isinstance(event, Start) else event
        finally:
            if run_input.journal is None:  # otherwise another process continues the run
                await run_memory.save()


def _set_message_id(output: AgentOutput, run_memory: RunMemory) -> AgentOutput:
    events = tuple(
        run_memory.set_message_id(event) if isinstance(event, Start) else event
        for event in output.events
    )
    return msgspec.structs.replace(output, events=events)


def _to_failure(error: MastraError, agent: str) -> Failure:
    """Return the event that ends a run after an error of the memory; hide storage details."""
    if isinstance(error, RequestError):
        return to_request_failure(error)
    to_failure(error, agent)
    return Failure(message="The memory cannot be read.", kind=type(error).__name__)
