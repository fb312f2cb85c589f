"""The limits of the storage in memory."""

import asyncio

import pytest

from mastra_core.errors import StorageError
from mastra_core.storage import MemoryStorage, MessageQuery, ThreadQuery
from mastra_core.testing.storage_fixtures import build_message, build_thread, list_ids


@pytest.fixture
def run():
    with asyncio.Runner() as runner:
        yield runner.run


def test_memory_storage_is_bounded():
    async def fill():
        storage = MemoryStorage(max_threads=3, max_messages=2)
        for n in range(5):
            await storage.threads.append(build_thread(f"t{n}"), [build_message(f"m{n}", f"t{n}")])
            await storage.threads.change_working_memory("resource", f"r{n}", lambda _: "x")
        await storage.threads.append(
            build_thread("t2"), [build_message(f"n{n}", "t2") for n in range(9)]
        )
        await storage.threads.append(build_thread("t9"), [])
        return storage.threads

    threads = asyncio.run(fill())
    left = asyncio.run(threads.find(ThreadQuery())).items
    assert {each.id for each in left} == {"t2", "t4", "t9"}
    assert list_ids(asyncio.run(threads.recall("t2", 9)).messages) == ["n7", "n8"]
    assert asyncio.run(threads.get_messages(["m0", "m2", "n0", "n8", "m4"]))[0].id == "n8"
    assert asyncio.run(threads.get_working_memory("resource", "r0")) == ""


def test_threads_in_memory_are_bounded_by_bytes(run):
    threads = MemoryStorage(max_bytes=1_000_000).threads
    run(threads.append(build_thread("kept", "bob"), [build_message("first", "kept")]))
    for number in range(40):
        thread = build_thread(f"large{number}")
        message = build_message(f"m{number}", thread.id, "x" * 100_000)
        assert run(threads.append(thread, [message]))
    assert run(threads.get("kept")) is not None
    assert run(threads.get("large0")) is None
    assert run(threads.get("large39")) is not None
    assert run(threads.get_messages(["m0", "m39"]))[0].id == "m39"
    for number in range(10):
        run(
            threads.append(
                build_thread("kept", "bob"),
                [build_message(f"k{number}", "kept", "x" * 100_000)],
            )
        )
    stored = run(threads.list_messages(MessageQuery(thread="kept"))).items
    assert list_ids(stored) == ["k8", "k9"]
    for number in range(40):
        run(threads.change_working_memory("resource", f"r{number}", lambda _: "x" * 100_000))
    assert len(run(threads.get_working_memory("resource", "r39"))) == 100_000
    assert run(threads.get_working_memory("resource", "r0")) == ""


def test_notes_about_threads_are_counted_for_their_resource(run):
    threads = MemoryStorage(max_threads=20).threads
    run(threads.create(build_thread("quiet", "ann")))
    run(threads.change_working_memory("thread", "quiet", lambda _: "notes", "ann"))
    for number in range(200):
        thread_id = f"m{number}"
        run(threads.change_working_memory("thread", thread_id, lambda _: "x", "mallory"))
    assert run(threads.get_working_memory("thread", "quiet", "ann")) == "notes"
    assert run(threads.get_working_memory("thread", "m199", "mallory")) == "x"


def test_notes_that_do_not_fit_are_refused(run):
    threads = MemoryStorage(max_bytes=10_000).threads
    with pytest.raises(StorageError, match="'ann'"):
        run(threads.change_working_memory("resource", "ann", lambda _: "x" * 20_000))
