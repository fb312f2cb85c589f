"""The storage on a real local D1: the suite, races, and everything that can be wrong with it."""

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
import types

import msgspec
import pytest

from mastra_core import AgentInput, D1Storage, Mastra, Memory
from mastra_core.agents import Message, SuspendedRun
from mastra_core.errors import ConfigError, InvalidInput, NotFound, StorageError
from mastra_core.storage import History, MessageQuery, ThreadQuery, as_storage
from mastra_core.storage.d1_binding import set_environment
from mastra_core.storage.d1_database import D1Database
from mastra_core.storage.sql_database import Statement
from mastra_core.storage.sqlite_schema import SCHEMA
from mastra_core.testing import StorageSuite
from mastra_core.testing.storage_fixtures import (
    build_message,
    build_suspended_run,
    build_thread,
    list_ids,
)
from tests.core.storage.d1.local import Binding

TABLES = (
    "histories messages threads working_memory suspended_runs request_counts records schema".split()
)


@pytest.fixture
def port(d1_port):
    return d1_port


@pytest.fixture
def binding(port):
    """A binding to a database whose tables exist and are empty."""
    binding = Binding(port)
    asyncio.run(D1Storage(binding).open())
    binding.send([Statement(f"DELETE FROM mastra_{name}") for name in TABLES[:-1]])
    return binding


class TestD1Storage(StorageSuite):
    concurrent_changes = 12
    random_examples = 15

    @pytest.fixture
    def storage(self, binding):
        return D1Storage(binding)

    @pytest.fixture
    def bounded_storage(self, binding):
        return D1Storage(binding, max_suspended_runs=10)


COPY_RUN = """INSERT INTO mastra_suspended_runs
    SELECT copy.value, agent, resource, thread, calls, caller, suspended_at, size,
        replace(data, '"r0"', json_quote(copy.value))
    FROM mastra_suspended_runs, json_each(?) AS copy WHERE mastra_suspended_runs.id = 'r0'"""


def run_with(storage, work):
    return asyncio.run(work(storage))


def test_two_instances_take_each_suspended_run_once(binding, port):
    one, two = D1Storage(binding), D1Storage(Binding(port))
    names = [f"r{number}" for number in range(200)]

    async def race():
        await one.suspended_runs.put(build_suspended_run("r0"))
        binding.send([Statement(COPY_RUN, (json.dumps(names[1:]),))])
        takes = [each.suspended_runs.take("a", name) for name in names for each in (one, two)]
        return await asyncio.gather(*takes, return_exceptions=True)

    results = asyncio.run(race())
    taken = [each.run_id for each in results if isinstance(each, SuspendedRun)]
    assert sorted(taken) == sorted(names)
    assert sum(isinstance(each, NotFound) for each in results) == 200


def test_each_call_is_one_batch(binding):
    async def work(storage):
        messages = [build_message(f"m{number}") for number in range(60)]
        await storage.threads.append(build_thread(), messages)
        await storage.threads.recall("t1", 10)
        await storage.threads.list_messages(MessageQuery(thread="t1", per_page=20))
        await storage.threads.delete_messages(["m1", "m2"])
        await storage.threads.delete("t1")
        await storage.suspended_runs.put(build_suspended_run())
        await storage.suspended_runs.take("a", "r1")

    binding.batches = 0
    run_with(D1Storage(binding), work)
    assert binding.batches == 7


def drop_tables(binding):
    binding.send([Statement(f"DROP TABLE IF EXISTS mastra_{name}") for name in TABLES])


def read_version(binding):
    [result] = binding.send([Statement("SELECT version FROM mastra_schema")])
    return [row["version"] for row in result["results"]]


def test_first_calls_of_several_instances_create_the_tables(binding, port):
    drop_tables(binding)
    storages = [D1Storage(Binding(port)) for _ in range(4)]

    async def work():
        calls = [
            each.threads.append(build_thread(), [build_message(f"m{number}")])
            for number, each in enumerate(storages)
        ]
        opens = [each.open() for each in storages]
        await asyncio.gather(*calls, *opens)
        return (await storages[0].threads.recall("t1", 9)).messages

    assert len(asyncio.run(work())) == 4
    assert read_version(binding) == [SCHEMA.newest]


def test_tables_of_the_first_version_are_migrated(binding):
    drop_tables(binding)
    run = build_suspended_run(resource="ann")
    data = msgspec.json.encode(run).decode()
    binding.send(
        [
            *map(Statement, SCHEMA.versions[0]),
            Statement("CREATE TABLE mastra_schema (version INTEGER NOT NULL)"),
            Statement("INSERT INTO mastra_schema VALUES (1)"),
            Statement(
                "INSERT INTO mastra_suspended_runs VALUES (?, ?, ?, ?)",
                (run.run_id, run.agent_id, run.suspended_at, data),
            ),
        ]
    )

    async def work(storage):
        await storage.open()
        return await storage.suspended_runs.take("a", "r1", "ann")

    assert run_with(D1Storage(binding), work) == run
    assert read_version(binding) == [SCHEMA.newest]


def test_tables_of_a_newer_version(binding):
    binding.send([Statement("UPDATE mastra_schema SET version = 99")])
    try:
        with pytest.raises(StorageError, match="newer version of mastra: its tables have version"):
            run_with(D1Storage(binding), lambda storage: storage.open())
    finally:
        binding.send([Statement("UPDATE mastra_schema SET version = ?", (SCHEMA.newest,))])


LARGE = "x" * 2_000_000


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (
            "message 'm2'",
            lambda s: s.threads.append(
                build_thread(), [build_message("m1"), build_message("m2", text=LARGE)]
            ),
        ),
        (
            "message 'm1'",
            lambda s: s.threads.append(build_thread(), [build_message(text="é" * 1_000_000)]),
        ),
        ("thread 't1'", lambda s: s.threads.create(build_thread(title=LARGE))),
        (
            "working memory of 'ann'",
            lambda s: s.threads.change_working_memory("resource", "ann", lambda _: LARGE),
        ),
        ("suspended run 'r1'", lambda s: s.suspended_runs.put(build_suspended_run(call=LARGE))),
    ],
    ids="message wide thread notes run".split(),
)
def test_record_that_is_too_large_for_a_row(binding, name, call):
    with pytest.raises(InvalidInput, match=rf"The {name} has [124]\d{{6}} bytes") as caught:
        run_with(D1Storage(binding), call)
    assert "store files elsewhere" in caught.value.hint
    counts = [f"SELECT count(*) AS total FROM mastra_{name}" for name in TABLES[:-1]]
    results = binding.send(list(map(Statement, counts)))
    assert [each["results"] for each in results] == [[{"total": 0}]] * len(counts)


def test_run_with_a_message_that_is_too_large_is_answered(binding, capsys):
    async def count(text: str) -> str:
        return str(len(text))

    mastra = Mastra(agents={"count": count}, memory=Memory(), storage=D1Storage(binding))
    large = AgentInput(messages=(Message.user(LARGE),), thread="t1", resource="ann")
    output = asyncio.run(mastra.get_agent("count").generate(large))
    assert output.text == "2000000"
    assert "a run of the thread 't1' cannot be stored" in capsys.readouterr().err


def test_reads_are_limited_to_the_memory_of_a_worker(binding):
    messages = [build_message(f"m{number}", text="x" * 1_900_000) for number in range(6)]
    history = History(agent="a", data=b"x" * 2_000_000, messages=6)

    async def work(storage):
        assert await storage.threads.append(build_thread(), messages, history=history)
        recall = await storage.threads.recall("t1", 1000)
        assert list_ids(recall.messages) == ["m2", "m3", "m4", "m5"]
        assert recall.messages[-1] == messages[-1]
        assert recall.history is None, "it does not fit in a row"
        page = await storage.threads.list_messages(MessageQuery(thread="t1", per_page=2))
        assert page.total == 6
        with pytest.raises(InvalidInput, match="8388608 bytes, so perPage must be smaller"):
            await storage.threads.list_messages(MessageQuery(thread="t1"))

    run_with(D1Storage(binding), work)


def test_number_that_javascript_cannot_represent(binding):
    with pytest.raises(StorageError, match="D1 cannot store the number 9007199254740993"):
        run_with(
            D1Storage(binding),
            lambda storage: storage.threads.create(build_thread(created_at=2**53 + 1)),
        )


def test_each_request_uses_its_own_binding(binding, port):
    """One storage serves two requests at once, whose environments differ."""
    storage = D1Storage("DATA")

    async def serve(environment, name):
        set_environment(environment)
        await storage.threads.create(build_thread(name))
        await asyncio.sleep(0)
        await storage.threads.change_working_memory("thread", name, lambda _: name)
        return await storage.threads.find(ThreadQuery())

    async def work():
        first, second = {"DATA": binding}, types.SimpleNamespace(DATA=Binding(port, "SECOND"))
        return await asyncio.gather(serve(first, "t1"), serve(second, "t2"))

    assert [list_ids(page.items) for page in asyncio.run(work())] == [["t1"], ["t2"]]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (None, "The storage 'd1:DB' works only in a Cloudflare Worker."),
        ({"OTHER": 1}, "The Worker has no binding 'DB', which the storage 'd1:DB' needs."),
        ({"DB": "text"}, "The binding 'DB' of the Worker is not a D1 database."),
    ],
)
def test_missing_binding(environment, message):
    async def work(storage):
        set_environment(environment)
        await storage.open()

    with pytest.raises(ConfigError) as caught:
        run_with(as_storage("d1:DB"), work)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["", "my-db", "1", "DB;"])
def test_name_that_is_no_binding(name):
    with pytest.raises(ConfigError):
        D1Storage(name)


class FailingBinding(Binding):
    """Fails as D1 does, which a local one never does under load."""

    message = ""

    async def batch(self, statements):
        self.batches += 1
        raise RuntimeError(self.message)


# The messages are those of Cloudflare's documentation.
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("D1_ERROR: D1 DB is overloaded. Requests queued for too long.", "too many requests"),
        ("D1_ERROR: D1 DB is overloaded. Too many requests queued.", "too many requests"),
        ("D1_ERROR: Network connection lost.", "was lost"),
        ("D1_ERROR: D1 DB reset because its code was updated.", "is restarting"),
        ("D1_ERROR: Internal error in D1 DB storage caused object to be reset.", "is restarting"),
        (
            "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
            "took too long",
        ),
        ("D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.", "more memory"),
        ("D1_ERROR: database is locked: SQLITE_BUSY", "was locked"),
        (
            "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
            "cannot be reached",
        ),
        ("Too many API requests by single worker invocation.", "more queries"),
        ("D1_ERROR: string or blob too big: SQLITE_TOOBIG", "too large"),
        ("D1_ERROR: database or disk is full: SQLITE_FULL", "is full"),
        ("D1_ERROR: something new", "has refused a request: D1_ERROR: something new"),
    ],
)
def test_d1_is_busy_or_over_its_limits(port, message, expected, monkeypatch):
    monkeypatch.setattr("mastra_core.storage.d1_database._PAUSES", (0.01, 0.01))
    binding = FailingBinding(port)
    binding.message = message
    for call in (
        lambda storage: storage.open(),
        lambda storage: storage.threads.recall("t1", 9),
        lambda storage: storage.suspended_runs.take("a", "r1"),
    ):
        with pytest.raises(StorageError, match=expected) as caught:
            run_with(D1Storage(binding), call)
        assert caught.value.hint


@contextlib.contextmanager
def lock_databases(directory):
    """Lock the files of local D1, as another process does while it writes."""
    with contextlib.ExitStack() as stack:
        for path in directory.glob("resources/d1/*/*.sqlite"):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            stack.callback(connection.close)
            connection.execute("BEGIN IMMEDIATE")
        yield


def test_write_waits_for_a_lock_of_another_process(binding, d1_directory):
    def unlock_after_retries():
        while binding.batches < 3:
            time.sleep(0.01)
        locks.close()

    with contextlib.ExitStack() as locks:
        locks.enter_context(lock_databases(d1_directory))
        with pytest.raises(RuntimeError, match="SQLITE_BUSY"):
            binding.send([Statement("DELETE FROM mastra_threads")])
        thread = threading.Thread(target=unlock_after_retries, daemon=True)
        thread.start()
        run_with(D1Storage(binding), lambda storage: storage.threads.create(build_thread("t1")))
        thread.join()
    page = run_with(D1Storage(binding), lambda storage: storage.threads.find(ThreadQuery()))
    assert list_ids(page.items) == ["t1"]


@pytest.mark.parametrize(
    "message", ["D1_ERROR: Network connection lost.", "D1_ERROR: D1 DB is overloaded."]
)
def test_write_that_may_be_executed_is_not_repeated(port, message):
    binding = FailingBinding(port)
    binding.message = message
    with pytest.raises(StorageError):
        run_with(D1Storage(binding), lambda storage: storage.threads.create(build_thread("t1")))
    assert binding.batches == 1


def test_statement_that_d1_refuses(binding):
    """The errors of the real D1 arrive as ours."""
    database = D1Database(binding)
    for sql, expected in (
        (f"SELECT 1 /* {'x' * 100_000} */", "too large"),
        ("SELECT sqlite_version()", "not authorized"),
        ("SELECT * FROM missing", "no such table: missing"),
    ):
        with pytest.raises(StorageError, match=expected):
            asyncio.run(database.execute([Statement(sql)], len))
