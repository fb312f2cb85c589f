"""Load the memory of one run, and store the run."""

from __future__ import annotations

import msgspec

from mastra_core.agents.events import AgentEvent, Finish, Start, TextDelta
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike, AgentOutput
from mastra_core.errors import InvalidInput, StorageError
from mastra_core.logger import get_logger
from mastra_core.memory.assistant_message import AssistantMessageBuilder
from mastra_core.memory.background import TitleTask, run_to_completion
from mastra_core.memory.history import build_conversation, drop_stored_calls
from mastra_core.memory.memory import Memory, generate_id, require_run_access
from mastra_core.memory.working_memory import WorkingMemory
from mastra_core.storage.records import History, Recall, StoredMessage, Thread, now

__all__ = ("RunMemory",)


class RunMemory:
    """The memory of one run, from its start to its end.

    :param memory: the memory.
    :param run_input: the caller's input.
    :param recall: what is stored of the thread.
    :param last_messages: maximum number of stored messages that the run receives.
    :ivar run_input: the input of the agent: that of the caller with the earlier messages.
    """

    def __init__(
        self, memory: Memory, run_input: AgentInput, recall: Recall, last_messages: int
    ) -> None:
        self.run_input = run_input
        self._memory = memory
        self._caller_input = run_input
        self._recall = recall
        self._last_messages = last_messages
        self._new_messages = drop_stored_calls(recall.messages, run_input.messages)
        self._recalled_count = 0  # how many stored messages the agent received
        self._started_at = now()
        self._builder = AssistantMessageBuilder()
        self._title_task = TitleTask()
        self._is_saved = run_input.read_only
        self._agent = ""
        self.message_id = generate_id()

    @classmethod
    async def start(cls, agent: AgentLike, memory: Memory, run_input: AgentInput) -> RunMemory:
        """Load the thread and the notes of the run.

        :param agent: the agent of the run.
        :param memory: the memory.
        :param run_input: the caller's input.
        :raises Forbidden: when the thread belongs to another resource.
        :raises InvalidInput: for a thread without a resource.
        """
        last_messages = (
            memory.last_messages if run_input.last_messages is None else run_input.last_messages
        )
        recall = await memory.storage.threads.recall(run_input.thread, last_messages)
        require_run_access(recall.thread, run_input.thread, run_input.resource)
        run_memory = cls(memory, run_input, recall, last_messages)
        run_memory._agent = _get_writer(agent)
        run_memory.run_input = run_memory._build_input(agent, run_input)
        if memory.notes_form is not None:
            takes_tools = getattr(agent, "takes_tools", True)
            await run_memory._add_working_memory(memory, memory.notes_form, takes_tools)
        has_title = run_input.thread_title or (recall.thread is not None and recall.thread.title)
        if memory.title_generator is not None and not has_title and not run_input.read_only:
            run_memory._title_task.start(memory.title_generator, run_input, agent)
        return run_memory

    def add(self, event: AgentEvent) -> None:
        """Add an event of the run.

        :param event: the event.
        """
        self._builder.add(event)

    def add_output(self, output: AgentOutput) -> None:
        """Add the output of a whole run.

        :param output: the output.
        """
        for event in output.events or (TextDelta(text=output.text),):  # an adapter may report none
            self._builder.add(event)
        self._builder.add(
            Finish(reason=output.reason, object=output.object, history=output.history)
        )

    def set_message_id(self, start: Start) -> Start:
        """Return a start event that contains the id of the stored answer.

        :param start: the event.
        """
        return msgspec.structs.replace(start, message_id=self.message_id)

    async def save(self) -> None:
        """Store the run, even if the caller is cancelled; later calls do nothing.

        If the run cannot be stored, it still succeeds, because the answer exists and was paid for.
        """
        if self._is_saved:
            return
        self._is_saved = True
        await run_to_completion(self._save())

    async def _save(self) -> None:
        try:
            finished = self._builder.finish is not None
            is_stored = await self._append(await self._title_task.finish(is_complete=finished))
        except (StorageError, InvalidInput) as error:  # the latter for a message that is too large
            get_logger("mastra.memory").error(
                "a run of the thread %r cannot be stored", self._caller_input.thread, exc_info=error
            )
            return
        if not is_stored:
            get_logger("mastra.memory").warning(
                "a run is not stored, because the thread %r was deleted or belongs to another "
                "resource",
                self._caller_input.thread,
            )

    async def _append(self, title: str) -> bool:
        messages = [*self._build_user_messages(), *self._build_assistant_messages()]
        run_input = self._caller_input
        thread = Thread(
            id=run_input.thread,
            resource=run_input.resource,
            title=run_input.thread_title or title,
            metadata=run_input.thread_metadata,
            caller=run_input.caller,
        )
        return await self._memory.storage.threads.append(
            thread,
            messages,
            create=self._recall.thread is None,
            history=self._build_history(len(messages)),
            after=self._recall.position,
        )

    def _build_input(self, agent: AgentLike, run_input: AgentInput) -> AgentInput:
        if run_input.history or run_input.decisions:  # a resumed run has its history already
            return run_input
        recall = self._recall
        history = _find_native_history(agent, recall, run_input, self._last_messages)
        if history is not None:
            self._recalled_count = history.messages
            return msgspec.structs.replace(run_input, history=history.data)
        self._recalled_count = len(recall.messages)
        return msgspec.structs.replace(
            run_input, messages=build_conversation(recall.messages, self._new_messages)
        )

    async def _add_working_memory(
        self, memory: Memory, working: WorkingMemory, takes_tools: bool
    ) -> None:
        caller_input = self._caller_input
        notes = await memory.get_working_memory(caller_input.thread, caller_input.resource)
        owner = caller_input.thread if memory.scope == "thread" else caller_input.resource
        can_change = takes_tools and not caller_input.read_only
        instructions = working.build_instructions(notes, can_change=can_change)
        tool = working.build_tool(memory.storage.threads, owner, caller_input.resource)
        tools = (tool,) if can_change else ()
        texts = filter(None, (self.run_input.extra_instructions, instructions))
        self.run_input = msgspec.structs.replace(
            self.run_input,
            extra_instructions="\n\n".join(texts),
            tools=(*self.run_input.tools, *tools),
        )

    def _build_history(self, new_count: int) -> History | None:
        finish = self._builder.finish
        if finish is None or not finish.history or finish.reason == "suspended":
            return None
        if self._caller_input.history:
            return None
        return History(
            agent=self._agent, data=finish.history, messages=self._recalled_count + new_count
        )

    def _build_user_messages(self) -> list[StoredMessage]:
        return [
            StoredMessage(
                id=message.id or f"{self.message_id}-{index}",
                thread=self._caller_input.thread,
                role=message.role,
                parts=message.parts,
                created_at=self._started_at,
            )
            for index, message in enumerate(self._new_messages)
            if message.role != "system"
        ]

    def _build_assistant_messages(self) -> list[StoredMessage]:
        parts = self._builder.build_parts()
        if not parts:
            return []
        id_, thread = self.message_id, self._caller_input.thread
        return [StoredMessage(id=id_, thread=thread, role="assistant", parts=parts)]


def _find_native_history(
    agent: AgentLike, recall: Recall, run_input: AgentInput, last_messages: int
) -> History | None:
    """Return the thread's history in the framework's format, if the run can use it.

    This agent must have written the history, and the thread must have no later message. The run may
    add only one message, from the user. A history with too many turns is shortened. If the agent
    cannot shorten it, the history is not used.
    """
    history = recall.history
    if (
        history is None
        or history.agent != _get_writer(agent)
        or not _is_single_user_message(run_input.messages)
    ):
        return None
    if history.messages <= last_messages:
        return history
    shorten = getattr(agent, "truncate_history", None)
    turns = sum(message.role == "user" for message in recall.messages)
    if shorten is None or not turns:
        return None
    data = shorten(history.data, turns)
    return History(agent=history.agent, data=data, messages=len(recall.messages)) if data else None


def _get_writer(agent: AgentLike) -> str:
    """Return the name of a history's writer: agent id and framework."""
    return f"{agent.id} ({type(agent).__module__})"


def _is_single_user_message(messages: tuple[Message, ...]) -> bool:
    return len(messages) == 1 and messages[0].role == "user"
