"""What agents remember of conversations, and the conversations themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.errors import ConfigError, Conflict, Forbidden, InvalidInput, NotFound
from mastra_core.memory.titles import TitleGenerator, as_title_generator
from mastra_core.memory.working_memory import WorkingMemory, as_working_memory
from mastra_core.storage.in_memory import MemoryStorage
from mastra_core.storage.protocol import Storage
from mastra_core.storage.records import (
    MessageQuery,
    Page,
    Scope,
    StoredMessage,
    Thread,
    ThreadQuery,
    now,
)

__all__ = ("Memory", "as_memory", "new_id", "require_access", "require_run_access")


class Memory:
    """Remembers conversations: the last messages of a thread, and what is noted meanwhile.

    Runs that name a thread and a resource (``AgentInput.thread``, ``.resource``) are remembered.
    A thread belongs to one resource. Methods that take a ``resource`` refuse the threads of any
    other; without one they are for code that may see everything.

    :param last_messages: how many stored messages a run is told; what an agent does in one run
        is one of them. 0 for none.
    :param working_memory: notes that the model itself keeps up to date: text to fill in, a type,
        or ``True`` for a template about a user.
    :param scope: what the notes are about: the ``resource``, or only the ``thread``.
    :param generate_title: name threads: ``True`` asks the agent itself, else an agent or async
        function that makes a title of a user's first words.
    :param storage: where it is kept; that of the ``Mastra`` it belongs to where not given.
    :raises ConfigError: for a value of the wrong kind.
    """

    def __init__(
        self,
        *,
        last_messages: int = 10,
        working_memory: Any = None,
        scope: Scope = "resource",
        generate_title: Any = False,
        storage: Any = None,
    ) -> None:
        if last_messages < 0:
            raise ConfigError(f"last_messages is {last_messages!r}.", "Give a number from 0 on.")
        if scope not in ("thread", "resource"):
            raise ConfigError(f"The scope is {scope!r}.", "It is 'thread' or 'resource'.")
        self.last_messages = last_messages
        self.scope: Scope = scope
        self.working: WorkingMemory | None = as_working_memory(working_memory, scope)
        self.titles: TitleGenerator | None = as_title_generator(generate_title)
        self._storage: Storage | None = None
        if storage is not None:
            self.use_storage(storage)

    @property
    def storage(self) -> Storage:
        """Where it is kept: what was given, else this process."""
        if self._storage is None:
            self._storage = MemoryStorage()
        return self._storage

    def use_storage(self, storage: Any) -> None:
        """Keep everything there, unless it has a place already; ``Mastra`` calls this."""
        from mastra_core.storage.coerce_storage import as_storage

        if self._storage is None:
            self._storage = as_storage(storage)

    async def create_thread(
        self,
        *,
        resource: str,
        id: str = "",
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """A new thread.

        :raises Conflict: when the id is taken.
        """
        thread = Thread(
            id=id or new_id(), resource=resource, title=title, metadata=dict(metadata or {})
        )
        if not await self.storage.threads.create(thread):
            raise Conflict(f"There is a thread {thread.id!r} already.", "Leave the id out.")
        return thread

    async def get_thread(self, thread_id: str, resource: str | None = None) -> Thread:
        """A thread.

        :raises NotFound: when there is none.
        :raises Forbidden: when it belongs to another resource.
        """
        thread = await self.storage.threads.get(thread_id)
        if thread is None:
            raise NotFound("Thread not found")
        return require_access(thread, resource)

    async def admit(self, thread_id: str, resource: str) -> None:
        """Say beforehand whether a run may have the thread.

        :raises InvalidInput: without a resource.
        :raises Forbidden: when it belongs to another one.
        """
        require_run_access(await self.storage.threads.get(thread_id), thread_id, resource)

    async def threads(self, query: ThreadQuery | None = None) -> Page[Thread]:
        """Threads that fit, the last changed first."""
        return await self.storage.threads.find(query or ThreadQuery())

    async def update_thread(
        self,
        thread_id: str,
        resource: str | None = None,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        new_resource: str | None = None,
    ) -> Thread:
        """Change what is given; metadata is replaced, and ``new_resource`` gives it away.

        :raises NotFound, Forbidden: as ``get_thread``.
        """
        thread = await self.get_thread(thread_id, resource)
        changed = msgspec.structs.replace(
            thread,
            title=thread.title if title is None else title,
            metadata=thread.metadata if metadata is None else dict(metadata),
            resource=new_resource or thread.resource,
            updated_at=now(),
        )
        if not await self.storage.threads.update(changed):
            raise NotFound("Thread not found")
        return changed

    async def delete_thread(self, thread_id: str, resource: str | None = None) -> None:
        """Remove a thread, its messages and the notes about it.

        :raises NotFound, Forbidden: as ``get_thread``.
        """
        await self.get_thread(thread_id, resource)
        await self.storage.threads.delete(thread_id)

    async def list_messages(
        self, query: MessageQuery, resource: str | None = None
    ) -> Page[StoredMessage]:
        """Messages of one thread that fit.

        :raises NotFound, Forbidden: as ``get_thread``.
        """
        await self.get_thread(query.thread, resource)
        return await self.storage.threads.messages(query)

    async def save_messages(
        self, messages: Sequence[StoredMessage], resource: str
    ) -> tuple[StoredMessage, ...]:
        """Add messages to threads of ``resource``; a thread that is not there is made.

        Those of one thread are kept together. An id that the thread has already is replaced.

        :raises Forbidden: when a thread belongs to another resource; before anything is kept.
        :raises Conflict: when another thread has a message of that id.
        """
        by_thread: dict[str, list[StoredMessage]] = {}
        for message in messages:
            by_thread.setdefault(message.thread, []).append(message)
        for thread_id in by_thread:
            known = await self.storage.threads.get(thread_id)
            if known is not None:
                require_access(known, resource)
        for thread_id, own in by_thread.items():
            if not await self.storage.threads.append(Thread(id=thread_id, resource=resource), own):
                raise Forbidden(f"The thread {thread_id!r} belongs to another resource.")
        return tuple(messages)

    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        """Remove messages; how many there were.

        :raises Forbidden: when one is of another resource; before anything is removed.
        """
        known = await self.storage.threads.get_messages(message_ids)
        for thread_id in {message.thread for message in known}:
            await self.get_thread(thread_id, resource)
        return await self.storage.threads.delete_messages([message.id for message in known])

    async def clone_thread(
        self,
        thread_id: str,
        resource: str | None = None,
        *,
        into: Thread | None = None,
        query: MessageQuery | None = None,
        only: Collection[str] | None = None,
    ) -> tuple[Thread, dict[str, StoredMessage]]:
        """A copy of a thread under new ids.

        :param into: the new thread; of the same resource and title where not given.
        :param query: which messages; all of them where not given.
        :param only: ids of those that are wanted, among these.
        :return: the new thread, and the new messages by the ids of those they are copies of.
        :raises NotFound, Forbidden: as ``get_thread``.
        :raises Conflict: when the id of ``into`` is taken.
        """
        source = await self.get_thread(thread_id, resource)
        target = into or msgspec.structs.replace(
            source, id=new_id(), created_at=now(), updated_at=now()
        )
        page = await self.storage.threads.messages(query or MessageQuery(thread=thread_id))
        ordered = page.items[::-1] if query and query.descending else page.items
        copies = {
            each.id: msgspec.structs.replace(each, id=new_id(), thread=target.id)
            for each in ordered
            if only is None or each.id in only
        }
        if not await self.storage.threads.create(target):
            raise Conflict(f"There is a thread {target.id!r} already.", "Leave the id out.")
        await self.storage.threads.append(target, tuple(copies.values()), create=False)
        return target, copies

    async def working_memory(self, thread_id: str, resource: str) -> str:
        """What is noted, in the scope of this memory; empty where nothing is."""
        owner = thread_id if self.scope == "thread" else resource
        return await self.storage.threads.get_working_memory(self.scope, owner)

    async def update_working_memory(self, thread_id: str, resource: str, text: str) -> None:
        """Replace what is noted.

        :raises InvalidInput: when working memory is off, or the text does not fit its type.
        """
        if self.working is None:
            raise InvalidInput(
                "Working memory is not enabled.", "Set Memory(working_memory=...) in the app."
            )
        text = self.working.validate(text)
        owner = thread_id if self.scope == "thread" else resource
        await self.storage.threads.change_working_memory(self.scope, owner, lambda _: text)


def as_memory(value: Memory | Mapping[str, Any]) -> Memory:
    """``value`` as a memory: itself, or a mapping of its settings.

    :raises ConfigError: for anything else.
    """
    if isinstance(value, Memory):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"The memory is {value!r}.", "Pass Memory(last_messages=10).")
    try:
        return Memory(**value)
    except TypeError as error:
        raise ConfigError(f"memory: {error}.", "See Memory for its settings.") from None


def require_access(thread: Thread, resource: str | None) -> Thread:
    """``thread``, where ``resource`` may see it.

    :raises Forbidden: when it belongs to another one.
    """
    if resource is not None and thread.resource != resource:
        raise Forbidden(
            f"The thread {thread.id!r} belongs to another resource than {resource!r}.",
            "Use a thread of this resource, or a new id.",
        )
    return thread


def require_run_access(thread: Thread | None, thread_id: str, resource: str) -> None:
    """Refuse a run that may not have a thread; ``None`` where there is none yet.

    :raises InvalidInput: without a resource.
    :raises Forbidden: when it belongs to another one.
    """
    if not resource:
        raise InvalidInput(
            f"The run names the thread {thread_id!r} and no resource.",
            "Say whose it is: resource='user-1'.",
        )
    if thread is not None:
        require_access(thread, resource)


def new_id() -> str:
    """An id that nothing else has."""
    import uuid  # it brings in platform, which no cold start needs

    return str(uuid.uuid4())
