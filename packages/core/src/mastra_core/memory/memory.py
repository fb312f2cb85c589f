"""Store conversations, and pass them to agents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.errors import ConfigError, Conflict, Forbidden, InvalidInput, NotFound
from mastra_core.memory.titles import TitleGenerator, as_title_generator
from mastra_core.memory.working_memory import WorkingMemory, as_working_memory
from mastra_core.random_id import generate_id
from mastra_core.schema import encode_json
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

__all__ = ("Memory", "as_memory", "require_access", "require_run_access")


class Memory:
    """Stores conversations, and adds their latest messages and notes to new runs.

    Runs with a thread and a resource (``AgentInput.thread``, ``.resource``) use the memory. A
    thread belongs to one resource. If a method gets a ``resource``, it rejects threads of other
    resources. A method that gets no ``resource`` accepts every thread.

    :param last_messages: how many of the last stored messages a run receives; 0 for none.
        Everything that an agent does in one run is one message.
    :param working_memory: notes that the model itself updates: a template as text, a type, or
        ``True`` for a template about a user.
    :param scope: who shares the notes: all threads of a ``resource``, or only one ``thread``.
    :param generate_title: what generates the titles of threads from the user's first message:
        ``True`` for the agent itself, another agent, or an async function; no titles by default.
    :param storage: the storage of the threads and notes; by default the storage of the ``Mastra``.
    :raises ConfigError: for a value of the wrong type.
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
        check_count("last_messages", last_messages, least=0)
        if scope not in ("thread", "resource"):
            raise ConfigError(
                f"The memory's scope {scope!r} does not exist.", "Use 'thread' or 'resource'."
            )
        self.last_messages = last_messages
        self.scope: Scope = scope
        self.notes_form: WorkingMemory | None = as_working_memory(working_memory, scope)
        self.title_generator: TitleGenerator | None = as_title_generator(generate_title)
        self._storage: Storage | None = None
        if storage is not None:
            self.use_storage(storage)

    @property
    def storage(self) -> Storage:
        """The storage of the memory; by default a storage in this process."""
        if self._storage is None:
            self._storage = MemoryStorage()
        return self._storage

    def use_storage(self, storage: Any) -> None:
        """Use the storage of ``Mastra``, unless this memory has its own storage.

        :param storage: a storage or its URL.
        """
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
        caller: str = "",
    ) -> Thread:
        """Create a thread.

        :param resource: owner of the thread.
        :param id: id of the thread; generated if empty.
        :param title: title of the thread.
        :param metadata: metadata of the thread, JSON builtins.
        :param caller: the caller whose limits apply to the thread; by default, the resource.
        :raises Conflict: when the id is taken.
        """
        check_types(locals(), Memory.create_thread.__annotations__, InvalidInput)
        thread = Thread(
            id=id or generate_id(),
            resource=resource,
            title=title,
            metadata=_as_metadata(metadata or {}),
            caller=caller,
        )
        if not await self.storage.threads.create(thread):
            raise Conflict(f"The thread {thread.id!r} already exists.", "Leave the id out.")
        return thread

    async def get_thread(self, thread_id: str, resource: str | None = None) -> Thread:
        """Return a thread.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :raises NotFound: when there is no such thread.
        :raises Forbidden: when the thread belongs to another resource.
        """
        check_types(locals(), Memory.get_thread.__annotations__, InvalidInput)
        thread = await self.storage.threads.get(thread_id)
        if thread is None:
            raise NotFound("Thread not found")
        return require_access(thread, resource)

    async def check_access(self, thread_id: str, resource: str) -> None:
        """Check before a run whether the run may use its thread.

        :param thread_id: id of the thread, which may not exist yet.
        :param resource: the resource of the run.
        :raises InvalidInput: for an empty resource.
        :raises Forbidden: when the thread belongs to another resource.
        """
        check_types(locals(), Memory.check_access.__annotations__, InvalidInput)
        require_run_access(await self.storage.threads.get(thread_id), thread_id, resource)

    async def list_threads(self, query: ThreadQuery | None = None) -> Page[Thread]:
        """Return the threads that match a query; by default all, the last changed thread first.

        :param query: the query.
        """
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
        """Update only the values that are passed; concurrent updates of other values are kept.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :param title: the new title.
        :param metadata: replaces the metadata.
        :param new_resource: the new owner.
        :raises NotFound: when there is no such thread.
        :raises Forbidden: when the thread belongs to another resource.
        """
        check_types(locals(), Memory.update_thread.__annotations__, InvalidInput)
        thread = await self.get_thread(thread_id, resource)
        values = {
            "title": title,
            "metadata": None if metadata is None else _as_metadata(metadata),
            "resource": new_resource or None,
            "updated_at": now(),
        }
        changes = {name: value for name, value in values.items() if value is not None}
        changed = msgspec.structs.replace(thread, **changes)
        threads = self.storage.threads
        if not await threads.update(changed, thread.resource, fields=[*changes]):
            raise NotFound("Thread not found")
        stored = await threads.get(thread_id)  # with the changes of other callers
        return changed if stored is None or stored.resource != changed.resource else stored

    async def delete_thread(self, thread_id: str, resource: str | None = None) -> None:
        """Delete a thread with its messages and notes.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :raises NotFound: when there is no such thread.
        :raises Forbidden: when the thread belongs to another resource.
        """
        thread = await self.get_thread(thread_id, resource)
        if not await self.storage.threads.delete(thread_id, thread.resource):
            raise NotFound("Thread not found")

    async def list_messages(
        self, query: MessageQuery, resource: str | None = None
    ) -> Page[StoredMessage]:
        """Return the messages of one thread that match a query.

        :param query: the query.
        :param resource: the owner that the thread must have; ``None`` for any.
        :raises NotFound: when there is no such thread.
        :raises Forbidden: when the thread belongs to another resource.
        """
        thread = await self.get_thread(query.thread, resource)
        return await self.storage.threads.list_messages(_restrict_query(query, thread))

    async def save_messages(
        self, messages: Sequence[StoredMessage], resource: str, caller: str = ""
    ) -> tuple[StoredMessage, ...]:
        """Add messages to threads of a resource, and create missing threads.

        The messages of one thread are added in one transaction. If the thread already has a message
        with the same id, that message is replaced.

        :param messages: the messages, with their thread ids.
        :param resource: owner of the threads.
        :param caller: the caller whose limits apply to new threads; by default the resource.
        :raises Forbidden: when a thread belongs to another resource; nothing is stored then.
        :raises Conflict: when another thread has a message with the same id.
        """
        check_types(locals(), Memory.save_messages.__annotations__, InvalidInput)
        by_thread: dict[str, list[StoredMessage]] = {}
        for message in messages:
            by_thread.setdefault(message.thread, []).append(message)
        for thread_id in by_thread:
            known = await self.storage.threads.get(thread_id)
            if known is not None:
                require_access(known, resource)
        for thread_id, own in by_thread.items():
            thread = Thread(id=thread_id, resource=resource, caller=caller)
            if not await self.storage.threads.append(thread, own):
                raise Forbidden(f"The thread {thread_id!r} belongs to another resource.")
        return tuple(messages)

    async def delete_messages(self, message_ids: Sequence[str], resource: str | None = None) -> int:
        """Delete messages.

        :param message_ids: ids of the messages.
        :param resource: the owner that the threads of the messages must have; ``None`` for any.
        :returns: how many messages were deleted.
        :raises Forbidden: when a message belongs to another resource; then no message is deleted.
        """
        check_types(locals(), Memory.delete_messages.__annotations__, InvalidInput)
        known = await self.storage.threads.get_messages(message_ids)
        for thread_id in {message.thread for message in known}:
            await self.get_thread(thread_id, resource)
        known_ids = [message.id for message in known]
        return await self.storage.threads.delete_messages(known_ids, resource)

    async def clone_thread(
        self,
        thread_id: str,
        resource: str | None = None,
        *,
        into: Thread | None = None,
        query: MessageQuery | None = None,
        only: Collection[str] | None = None,
    ) -> tuple[Thread, dict[str, StoredMessage]]:
        """Copy a thread and its messages, with new ids.

        :param thread_id: id of the thread.
        :param resource: the owner that the thread must have; ``None`` for any.
        :param into: the new thread; by default with the same resource and title.
        :param query: which messages to copy; all by default.
        :param only: ids of messages; of those that match the query, only these are copied.
        :returns: the new thread, and the new messages by the ids of the originals.
        :raises NotFound: when there is no such thread.
        :raises Forbidden: when the thread belongs to another resource.
        :raises Conflict: when the id of ``into`` is taken.
        """
        source = await self.get_thread(thread_id, resource)
        target = into or msgspec.structs.replace(
            source, id=generate_id(), created_at=now(), updated_at=now()
        )
        page = await self.storage.threads.list_messages(
            _restrict_query(query or MessageQuery(thread=thread_id), source)
        )
        ordered = page.items[::-1] if query and query.descending else page.items
        copies = {
            each.id: msgspec.structs.replace(each, id=generate_id(), thread=target.id)
            for each in ordered
            if only is None or each.id in only
        }
        if not await self.storage.threads.create(target, tuple(copies.values())):
            raise Conflict(f"The thread {target.id!r} already exists.", "Leave the id out.")
        return target, copies

    async def get_working_memory(self, thread_id: str, resource: str) -> str:
        """Return the notes in the scope of this memory.

        :param thread_id: id of the thread.
        :param resource: owner of the thread.
        :returns: the notes, empty if there are none.
        """
        owner = thread_id if self.scope == "thread" else resource
        return await self.storage.threads.get_working_memory(self.scope, owner, resource)

    async def update_working_memory(self, thread_id: str, resource: str, text: str) -> None:
        """Replace the notes of a thread or resource.

        :param thread_id: id of the thread.
        :param resource: owner of the thread.
        :param text: the new notes.
        :raises InvalidInput: when working memory is disabled, or the text does not fit its type.
        """
        check_types(locals(), Memory.update_working_memory.__annotations__, InvalidInput)
        if self.notes_form is None:
            raise InvalidInput(
                "Working memory is disabled.",
                "Enable it in the app: Memory(working_memory=...).",
            )
        text = self.notes_form.validate(text)
        owner = thread_id if self.scope == "thread" else resource
        await self.storage.threads.change_working_memory(
            self.scope, owner, lambda _: text, resource
        )


def _as_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        encode_json(values)
    except TypeError as error:
        raise InvalidInput(f"Invalid metadata: {error}.") from None
    return dict(values)


def _restrict_query(query: MessageQuery, thread: Thread) -> MessageQuery:
    return msgspec.structs.replace(query, resource=thread.resource)


def as_memory(value: Memory | Mapping[str, Any]) -> Memory:
    """Convert a value to a ``Memory``.

    :param value: a ``Memory``, or a mapping of its settings.
    :raises ConfigError: for a value of any other type.
    """
    if isinstance(value, Memory):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"{value!r} is not a memory.", "Pass Memory(last_messages=10).")
    try:
        return Memory(**value)
    except TypeError as error:
        raise ConfigError(
            f"The memory's settings are invalid: {error}.", "Use the parameters of Memory(...)."
        ) from None


def require_access(thread: Thread, resource: str | None) -> Thread:
    """Return the thread, or raise an error if the resource may not access it.

    :param thread: the thread.
    :param resource: the resource; ``None`` may access everything.
    :raises Forbidden: when the thread belongs to another resource.
    """
    if resource is not None and thread.resource != resource:
        raise Forbidden(
            f"The thread {thread.id!r} belongs to another resource than {resource!r}.",
            "Use a thread of this resource, or a new id.",
        )
    return thread


def require_run_access(thread: Thread | None, thread_id: str, resource: str) -> None:
    """Check whether a run may use a thread.

    :param thread: the thread, ``None`` if it does not exist yet.
    :param thread_id: id of the thread.
    :param resource: the resource of the run.
    :raises InvalidInput: for an empty resource.
    :raises Forbidden: when the thread belongs to another resource.
    """
    if not resource:
        raise InvalidInput(
            f"The run has the thread {thread_id!r}, but no resource.",
            "Pass the owner of the thread: resource='user-1'.",
        )
    if thread is not None:
        require_access(thread, resource)
