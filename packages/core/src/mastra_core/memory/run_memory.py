"""One run with a memory: what it is told before, and what is kept of it."""

from __future__ import annotations

import msgspec

from mastra_core.agents.events import AgentEvent, Finish, Start, TextDelta
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike, AgentOutput
from mastra_core.errors import StorageError
from mastra_core.logger import logger_of
from mastra_core.memory.assistant_message import AssistantMessageBuilder
from mastra_core.memory.background import TitleTask, run_to_completion
from mastra_core.memory.history import build_conversation, drop_stored_calls
from mastra_core.memory.memory import Memory, new_id, require_run_access
from mastra_core.memory.working_memory import WorkingMemory
from mastra_core.storage.records import History, Recall, StoredMessage, Thread, now

__all__ = ("RunMemory",)


class RunMemory:
    """A run from its beginning to its end.

    :param wish: what the agent is asked: the caller's wish, and what was said before.
    """

    def __init__(self, memory: Memory, asked: AgentInput, recall: Recall, last: int) -> None:
        self.run_input = asked
        self._memory = memory
        self._asked = asked
        self._recall = recall
        self._last = last
        self._new = drop_stored_calls(recall.messages, asked.messages)
        self._told = 0  # how many stored messages the agent was told
        self._begun = now()
        self._answer = AssistantMessageBuilder()
        self._title = TitleTask()
        self._over = asked.read_only
        self._agent = ""
        self.message_id = new_id()

    @classmethod
    async def start(cls, agent: AgentLike, memory: Memory, original: AgentInput) -> RunMemory:
        """Read what the run needs to know.

        :raises Forbidden: when the thread belongs to another resource.
        :raises InvalidInput: for a thread without a resource.
        """
        last = memory.last_messages if original.last_messages is None else original.last_messages
        recall = await memory.storage.threads.recall(original.thread, last)
        require_run_access(recall.thread, original.thread, original.resource)
        session = cls(memory, original, recall, last)
        session._agent = _writer(agent)
        session.run_input = session._remembered(agent, original)
        if memory.working is not None:
            await session._note(memory, memory.working, getattr(agent, "takes_tools", True))
        titled = original.thread_title or (recall.thread is not None and recall.thread.title)
        if memory.titles is not None and not titled and not original.read_only:
            session._title.start(memory.titles, original, agent)
        return session

    def add(self, event: AgentEvent) -> None:
        """Take in what happens."""
        self._answer.add(event)

    def add_output(self, output: AgentOutput) -> None:
        """Take in a whole run."""
        for event in output.events or (TextDelta(text=output.text),):  # an adapter may tell none
            self._answer.add(event)
        self._answer.add(Finish(reason=output.reason, object=output.object, history=output.history))

    def set_message_id(self, start: Start) -> Start:
        """``start`` with the id that the answer is stored by."""
        return msgspec.structs.replace(start, message_id=self.message_id)

    async def save(self) -> None:
        """Keep what there is to keep; the second time nothing is.

        It is done whatever happens to the caller meanwhile. A run does not fail because it cannot
        be kept: its answer is there, and has been paid for.
        """
        if self._over:
            return
        self._over = True
        await run_to_completion(self._keep())

    async def _keep(self) -> None:
        try:
            finished = self._answer.finish is not None
            kept = await self._append(await self._title.finish(finished=finished))
        except StorageError as error:
            logger_of("mastra.memory").error(
                "the thread %r lost a run", self._asked.thread, exc_info=error
            )
            return
        if not kept:
            logger_of("mastra.memory").warning(
                "the thread %r is gone or another's: a run is not kept", self._asked.thread
            )

    async def _append(self, title: str) -> bool:
        messages = [*self._user_messages(), *self._own_messages()]
        asked = self._asked
        thread = Thread(
            id=asked.thread,
            resource=asked.resource,
            title=asked.thread_title or title,
            metadata=asked.thread_metadata,
        )
        return await self._memory.storage.threads.append(
            thread,
            messages,
            create=self._recall.thread is None,
            history=self._history(len(messages)),
            after=self._recall.position,
        )

    def _remembered(self, agent: AgentLike, asked: AgentInput) -> AgentInput:
        if asked.history or asked.decisions:  # it goes on from where it was suspended
            return asked
        recall = self._recall
        history = _own_history(agent, recall, asked, self._last)
        if history is not None:
            self._told = history.messages
            return msgspec.structs.replace(asked, history=history.data)
        self._told = len(recall.messages)
        return msgspec.structs.replace(
            asked, messages=build_conversation(recall.messages, self._new)
        )

    async def _note(self, memory: Memory, working: WorkingMemory, takes_tools: bool) -> None:
        asked = self._asked
        notes = await memory.working_memory(asked.thread, asked.resource)
        owner = asked.thread if memory.scope == "thread" else asked.resource
        changeable = takes_tools and not asked.read_only
        told = working.build_instructions(notes, changeable=changeable)
        tools = (working.build_tool(memory.storage.threads, owner),) if changeable else ()
        self.run_input = msgspec.structs.replace(
            self.run_input,
            extra_instructions="\n\n".join(filter(None, (self.run_input.extra_instructions, told))),
            tools=(*self.run_input.tools, *tools),
        )

    def _history(self, added: int) -> History | None:
        finish = self._answer.finish
        if finish is None or not finish.history or finish.reason == "suspended":
            return None
        if self._asked.history:
            return None
        return History(agent=self._agent, data=finish.history, messages=self._told + added)

    def _user_messages(self) -> list[StoredMessage]:
        return [
            StoredMessage(
                id=message.id or f"{self.message_id}-{index}",
                thread=self._asked.thread,
                role=message.role,
                parts=message.parts,
                created_at=self._begun,
            )
            for index, message in enumerate(self._new)
            if message.role != "system"
        ]

    def _own_messages(self) -> list[StoredMessage]:
        parts = self._answer.build_parts()
        if not parts:
            return []
        id_, thread = self.message_id, self._asked.thread
        return [StoredMessage(id=id_, thread=thread, role="assistant", parts=parts)]


def _own_history(agent: AgentLike, recall: Recall, asked: AgentInput, last: int) -> History | None:
    """The framework's own form of the thread, where it says all that a run is to be told.

    It was written by this agent, nothing was written since, it is not longer than what is
    recalled, and the run adds no more to it than a user's message.
    """
    history = recall.history
    if history is None or history.agent != _writer(agent) or not _only_the_user(asked.messages):
        return None
    if history.messages <= last:
        return history
    shorten = getattr(agent, "truncate_history", None)
    turns = sum(message.role == "user" for message in recall.messages)
    if shorten is None or not turns:
        return None
    data = shorten(history.data, turns)
    return History(agent=history.agent, data=data, messages=len(recall.messages)) if data else None


def _writer(agent: AgentLike) -> str:
    """Who wrote a history: an agent may keep its id and change its framework."""
    return f"{agent.id} ({type(agent).__module__})"


def _only_the_user(messages: tuple[Message, ...]) -> bool:
    return len(messages) == 1 and messages[0].role == "user"
