"""Fixtures and records for tests of a storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, ClassVar

import msgspec
import pytest

from mastra_core.agents import AgentInput, ApprovalRequired, SuspendedRun, TextPart
from mastra_core.storage import Storage, StoredMessage, Thread

__all__ = (
    "Run",
    "StorageFixtures",
    "build_message",
    "build_suspended_run",
    "build_thread",
    "list_ids",
)

Run = Callable[[Awaitable[Any]], Any]


class StorageFixtures:
    """Fixtures and numbers that the author of a storage may override.

    :cvar concurrent_changes: number of callers that change the same working memory at once.
    :cvar random_examples: number of random sequences of calls that are compared with
        ``MemoryStorage``.
    """

    concurrent_changes: ClassVar[int] = 50
    random_examples: ClassVar[int] = 50

    @pytest.fixture
    def storage(self) -> Storage:
        """Return a storage without data."""
        pytest.fail(f"{type(self).__name__} needs a fixture `storage`: a storage without data.")

    @pytest.fixture
    def bounded_storage(self) -> Storage:
        """Return a storage without data that stores at most ten suspended runs."""
        pytest.skip(f"{type(self).__name__} has no fixture `bounded_storage`.")

    @pytest.fixture
    def run(self, request: pytest.FixtureRequest) -> Iterator[Run]:
        """Yield a function that runs a coroutine, and close the storage at the end."""
        with asyncio.Runner() as runner:
            yield runner.run  # type: ignore[misc]  # ``run`` takes coroutines only
            for name in {"storage", "bounded_storage"} & set(request.fixturenames):
                runner.run(request.getfixturevalue(name).close())


def build_message(
    id: str = "m1",
    thread: str = "t1",
    text: str = "hi",
    role: Any = "user",
    **fields: Any,
) -> StoredMessage:
    """Build a message with one text.

    :param id: id of the message.
    :param thread: id of the thread.
    :param text: the text.
    :param role: role of the message.
    :param fields: other fields of ``StoredMessage``.
    """
    parts = (TextPart(text=text),)
    return StoredMessage(id=id, thread=thread, role=role, parts=parts, **fields)


def build_thread(id: str = "t1", resource: str = "ann", **fields: Any) -> Thread:
    """Build a thread.

    :param id: id of the thread.
    :param resource: owner of the thread.
    :param fields: other fields of ``Thread``.
    """
    return Thread(id=id, resource=resource, **fields)


def build_suspended_run(
    id: str = "r1",
    agent: str = "a",
    at: int = 0,
    resource: str = "",
    thread: str = "t1",
    call: str = "c1",
    caller: str = "",
    *,
    is_resumed: bool = False,
) -> SuspendedRun:
    """Build a run that waits for one approval.

    :param id: id of the run.
    :param agent: id of the agent.
    :param at: time of the suspension in milliseconds; now by default.
    :param resource: owner of the run.
    :param thread: id of the thread.
    :param call: id of the call that waits.
    :param caller: the caller whose limits apply to the run.
    :param is_resumed: whether the run was stored before.
    """
    run_input = AgentInput(thread=thread, resource=resource, run_id=id)
    return SuspendedRun(
        run_id=id,
        agent_id=agent,
        waiting=(ApprovalRequired(id=call, name="pay", arguments={"amount": 3}),),
        history=b"[\xff]",
        run_input=msgspec.structs.replace(run_input, caller=caller),
        suspended_at=at or int(time.time() * 1000),
        resumed=is_resumed,
    )


def list_ids(items: Iterable[Any]) -> list[str]:
    """Return the ids of threads or messages.

    :param items: the threads or messages.
    """
    return [item.id for item in items]
