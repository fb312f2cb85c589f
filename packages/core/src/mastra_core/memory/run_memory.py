"""Load the memory of one run, and store the run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import msgspec

from mastra_core.agents.events import (
    AgentEvent,
    Failure,
    Finish,
    Start,
    TextDelta,
    ToolResult,
)
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentLike, AgentOutput
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.errors import AgentFailed, Conflict, InvalidInput, StorageError
from mastra_core.logger import get_logger
from mastra_core.memory.assistant_message import AssistantMessageBuilder
from mastra_core.memory.background import TitleTask, run_to_completion
from mastra_core.memory.continued_message import extend_message, find_continued_message
from mastra_core.memory.history import build_conversation, drop_stored_calls, to_messages
from mastra_core.memory.memory import Memory, require_run_access
from mastra_core.memory.native_history import find_native_history, get_writer
from mastra_core.memory.recorded_recall import recall_once
from mastra_core.memory.sent_conversation import SentConversation, split_conversation
from mastra_core.memory.storage_outage import read_during_outage, write_during_outage
from mastra_core.memory.working_memory import WorkingMemory
from mastra_core.random_id import generate_id
from mastra_core.storage.protocol import ThreadStore
from mastra_core.storage.records import History, Recall, StoredMessage, Thread, now
from mastra_core.telemetry import Span, start_span

__all__ = ("RunMemory",)

_COMPARED = 100  # stored messages that are compared with a whole conversation of the caller


class RunMemory:
    """The memory of one run, from its start to its end.

    :param agent: the agent of the run.
    :param memory: the memory.
    :param run_input: the caller's input.
    :param recall: the stored data of the thread.
    :param conversation: the caller's messages.
    :param message_id: the id of the answer, if the run begins a new message; by default a new id.
    :ivar run_input: the input that the agent gets: stored messages, the caller's input, and a list
        for the results that a cancelled or failed run cannot yield.
    :ivar message_id: the id under which the answer is stored.
    """

    def __init__(
        self,
        agent: AgentLike,
        memory: Memory,
        run_input: AgentInput,
        recall: Recall,
        conversation: SentConversation,
        message_id: str = "",
    ) -> None:
        self._agent = agent
        self._memory = memory
        self._caller_input = run_input
        self._recall = recall
        self._conversation = conversation
        self._continued = find_continued_message(run_input, recall)
        # A resumed run has stored its messages before.
        is_resumed = self._continued is not None and bool(run_input.decisions)
        new = () if is_resumed else conversation.new
        self._new_messages = drop_stored_calls(recall.messages, new)
        self._recalled_count = 0  # how many stored messages the agent received
        self._started_at = now()
        self._builder = AssistantMessageBuilder()
        self._unread_results: list[ToolResult] = []
        self._title_task = TitleTask()
        self._is_saved = run_input.read_only
        self.message_id = self._continued.id if self._continued else message_id or generate_id()
        self.run_input = msgspec.structs.replace(
            self._build_input(), unread_results=self._unread_results
        )

    @classmethod
    async def start(cls, agent: AgentLike, memory: Memory, run_input: AgentInput) -> RunMemory:
        """Load the thread and the notes of the run; a durable run waits for its storage.

        :param agent: the agent of the run.
        :param memory: the memory.
        :param run_input: the caller's input.
        :raises Forbidden: when the thread belongs to another resource.
        :raises InvalidInput: for a thread without a resource.
        """
        with _start_span("recall", run_input):
            return await read_during_outage(run_input, lambda: cls._load(agent, memory, run_input))

    @classmethod
    async def _load(cls, agent: AgentLike, memory: Memory, run_input: AgentInput) -> RunMemory:
        threads = memory.storage.threads
        compared = _COMPARED if len(run_input.messages) > 1 or run_input.decisions else 0
        count = max(_get_last_messages(memory, run_input), compared)
        recall, message_id = await recall_once(threads, run_input, count)
        require_run_access(recall.thread, run_input.thread, run_input.resource)
        run_input, known = await _check_ids(threads, run_input, recall)
        conversation = split_conversation(recall.messages, known, run_input.messages)
        run_memory = cls(agent, memory, run_input, recall, conversation, message_id)
        if memory.notes_form is not None:
            await run_memory._add_working_memory(memory.notes_form)
        run_memory._start_title()
        return run_memory

    def _start_title(self) -> None:
        """Let a model find the title of the thread, unless the thread has a title."""
        run_input, thread = self._caller_input, self._recall.thread
        generator = self._memory.title_generator
        has_title = run_input.thread_title or (thread is not None and thread.title)
        if generator is not None and not has_title and not run_input.read_only:
            self._title_task.start(generator, run_input, self._agent)

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
            Finish(
                reason=output.reason,
                object=output.object,
                is_fallback=output.is_fallback,
                history=output.history,
            )
        )

    def add_failure(self, error: AgentFailed) -> None:
        """Add the events of a failed run, and the failure.

        :param error: the error that the run raised.
        """
        for event in (*error.events, Failure(message=error.message)):
            self._builder.add(event)

    def set_message_id(self, start: Start) -> Start:
        """Return a start event that contains the id of the stored answer.

        :param start: the event.
        """
        return msgspec.structs.replace(start, message_id=self.message_id)

    async def save(self) -> None:
        """Store the run, even if the caller is cancelled; later calls do nothing.

        During an outage of the storage, the run waits. A run that still cannot be stored succeeds,
        because the answer exists and was paid for.
        """
        if self._is_saved:
            return
        self._is_saved = True
        for result in self._unread_results:
            self._builder.add(result)
        with _start_span("save", self._caller_input):
            await self._save()

    async def _save(self) -> None:
        try:
            # A cancelled caller ends the wait, because another process may continue the run.
            is_stored = await write_during_outage(
                self._caller_input, lambda: run_to_completion(self._append_with_title())
            )
        except (StorageError, InvalidInput) as error:  # the latter: a message is too large
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

    async def _append_with_title(self) -> bool:
        title = await self._title_task.finish(is_complete=self._builder.finish is not None)
        return await self._append(title)

    async def _append(self, title: str) -> bool:
        messages = [*self._build_user_messages(), *self._build_assistant_messages()]
        try:
            return await self._append_messages(title, messages)
        except Conflict:  # meanwhile, another thread has stored an id of the caller's messages
            own = [self._replace_id(index, message) for index, message in enumerate(messages)]
            return await self._append_messages(title, own)

    def _replace_id(self, index: int, message: StoredMessage) -> StoredMessage:
        if message.id == self.message_id:
            return message
        return msgspec.structs.replace(message, id=f"{self.message_id}-{index}")

    async def _append_messages(self, title: str, messages: list[StoredMessage]) -> bool:
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

    def _build_input(self) -> AgentInput:
        """Return the caller's input with the earlier messages of the thread."""
        run_input = self._caller_input
        if run_input.history or run_input.decisions:  # a resumed run has its history already
            return run_input
        last_messages = _get_last_messages(self._memory, run_input)
        recall = _take_last(self._recall, last_messages)
        conversation, new = self._conversation, self._new_messages
        history = None
        if not conversation.is_repeated:
            history = find_native_history(self._agent, recall, new, last_messages)
        if history is not None:
            self._recalled_count = history.messages
            return msgspec.structs.replace(run_input, history=history.data, messages=new)
        earlier = _select_earlier(recall, conversation)
        self._recalled_count = len(earlier)
        if len(conversation.earlier) > sum(len(to_messages(each)) for each in earlier):
            messages = build_conversation((), (*conversation.earlier, *new))
        else:
            messages = build_conversation(earlier, new)
        return msgspec.structs.replace(run_input, messages=messages)

    async def _add_working_memory(self, working: WorkingMemory) -> None:
        memory, caller_input = self._memory, self._caller_input
        notes = await memory.get_working_memory(caller_input.thread, caller_input.resource)
        owner = caller_input.thread if memory.scope == "thread" else caller_input.resource
        can_change = Capabilities(self._agent).takes_tools and not caller_input.read_only
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
        if self._caller_input.history or self._continued or self._conversation.is_repeated:
            return None
        return History(
            agent=get_writer(self._agent),
            data=finish.history,
            messages=self._recalled_count + new_count,
        )

    def _build_user_messages(self) -> list[StoredMessage]:
        """Build the caller's messages; parts of one message have the same id."""
        messages: dict[str, StoredMessage] = {}
        for index, message in enumerate(self._new_messages):
            id_ = message.id or f"{self.message_id}-{index}"
            if message.role == "system" or id_ == self.message_id:
                continue
            earlier = messages.get(id_)
            messages[id_] = StoredMessage(
                id=id_,
                thread=self._caller_input.thread,
                role=message.role if earlier is None else earlier.role,
                parts=message.parts if earlier is None else (*earlier.parts, *message.parts),
                created_at=self._started_at,
            )
        return [*messages.values()]

    def _build_assistant_messages(self) -> list[StoredMessage]:
        parts = self._builder.build_parts()
        metadata = self._builder.build_metadata(self._caller_input.run_id) if parts else {}
        before = self._continued
        if before is not None:
            sent = [
                part
                for message in self._new_messages
                if message.id == before.id
                for part in message.parts
            ]
            return [extend_message(before, (*sent, *parts), metadata)]
        if not parts:
            return []
        return [
            StoredMessage(
                id=self.message_id,
                thread=self._caller_input.thread,
                role="assistant",
                parts=parts,
                metadata=metadata,
            )
        ]


def _get_last_messages(memory: Memory, run_input: AgentInput) -> int:
    """Return the maximum number of stored messages that a run receives."""
    own = run_input.last_messages
    return memory.last_messages if own is None else own


async def _check_ids(
    threads: ThreadStore, run_input: AgentInput, recall: Recall
) -> tuple[AgentInput, frozenset[str]]:
    """Remove ids of other threads' messages from the input; return the ids that are in this thread.

    Only messages that ``recall`` does not contain are loaded.
    """
    recalled = {message.id for message in recall.messages}
    ids = dict.fromkeys(message.id for message in run_input.messages if message.id)
    unknown = [each for each in ids if each not in recalled]
    found = await threads.get_messages(unknown) if unknown else ()
    foreign = {message.id for message in found if message.thread != run_input.thread}
    if foreign:
        messages = tuple(
            msgspec.structs.replace(message, id="") if message.id in foreign else message
            for message in run_input.messages
        )
        run_input = msgspec.structs.replace(run_input, messages=messages)
    own = {message.id for message in found} - foreign
    return run_input, frozenset(own | (ids.keys() & recalled))


def _take_last(recall: Recall, number: int) -> Recall:
    return msgspec.structs.replace(recall, messages=recall.messages[-number:] if number else ())


def _select_earlier(recall: Recall, conversation: SentConversation) -> Sequence[StoredMessage]:
    """Return the messages that were stored before the first of the new messages."""
    if not conversation.is_repeated:
        return recall.messages
    repeated = {message.id for message in conversation.new}
    for index, message in enumerate(recall.messages):
        if message.id in repeated:
            return recall.messages[:index]
    return recall.messages


def _start_span(operation: str, run_input: AgentInput) -> AbstractContextManager[Span]:
    attributes = {"mastra.memory.operation": operation, "gen_ai.conversation.id": run_input.thread}
    return start_span(f"memory {operation}", attributes)
