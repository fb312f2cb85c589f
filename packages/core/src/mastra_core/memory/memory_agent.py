"""Any agent, with a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from mastra_core.agents.events import AgentEvent, Failure, Finish, Start
from mastra_core.agents.function import to_failure
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput
from mastra_core.errors import MastraError, RequestError
from mastra_core.memory.memory import Memory
from mastra_core.memory.run_memory import RunMemory

__all__ = ("RememberingAgent", "memory_of")


def memory_of(agent: AgentLike) -> Memory | None:
    """The memory of an agent, where it has one."""
    memory = getattr(agent, "memory", None)
    return memory if isinstance(memory, Memory) else None


class RememberingAgent:
    """Runs ``agent`` with what was said before, and keeps what is said now.

    Runs that name no thread pass through. Everything else there is to an agent is the agent's.
    """

    def __init__(self, agent: AgentLike, memory: Memory) -> None:
        self._agent = agent
        self.memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    @property
    def id(self) -> str:
        """What a caller addresses it by."""
        return self._agent.id

    @property
    def name(self) -> str:
        """What people call it."""
        return self._agent.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self._agent.description

    def info(self) -> AgentInfo:
        """What can be said without running it."""
        return self._agent.info()

    async def generate(self, input: AgentInput | str, /, **overrides: Any) -> AgentOutput:
        """Run to the end.

        :raises Forbidden: when the thread belongs to another resource.
        :raises InvalidInput: for a thread without a resource.
        """
        wish = AgentInput.from_value(input, overrides)
        if not wish.thread:
            return await self._agent.generate(wish)
        session = await RunMemory.start(self._agent, self.memory, wish)
        try:
            output = await self._agent.generate(session.run_input)
            session.add_output(output)
        finally:
            await session.save()
        return output if not output.events else _named(output, session)

    def stream(self, input: AgentInput | str, /, **overrides: Any) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen; a broken run ends in ``Failure``.

        When ``Finish`` comes, the thread has everything.
        """
        wish = AgentInput.from_value(input, overrides)
        return self._remembered(wish) if wish.thread else self._agent.stream(wish)

    async def _remembered(self, wish: AgentInput) -> AsyncIterator[AgentEvent]:
        try:
            session = await RunMemory.start(self._agent, self.memory, wish)
        except MastraError as error:
            yield _refused(error, self.id)
            return
        events = self._agent.stream(session.run_input)
        try:
            async for event in events:
                session.add(event)
                if isinstance(event, Finish | Failure):
                    await session.save()
                yield session.set_message_id(event) if isinstance(event, Start) else event
        finally:
            close = getattr(events, "aclose", None)  # a generator left open keeps what it holds
            if close is not None:
                await close()
            await session.save()


def _named(output: AgentOutput, session: RunMemory) -> AgentOutput:
    events = tuple(
        session.set_message_id(event) if isinstance(event, Start) else event
        for event in output.events
    )
    return msgspec.structs.replace(output, events=events)


def _refused(error: MastraError, agent: str) -> Failure:
    """A mistake of the caller is told; what is wrong with the storage is not for callers."""
    if isinstance(error, RequestError):
        return Failure(message=error.message, kind=type(error).__name__, status=error.status)
    to_failure(error, agent)
    return Failure(message="The memory cannot be read.", kind=type(error).__name__)
