"""An SQLite file: several processes, kills, and everything that can be wrong with it."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import msgspec
import pytest

from mastra_core.agents import SuspendedRunQuery
from mastra_core.errors import MastraError, StorageError
from mastra_core.storage import MessageQuery, SqliteStorage, StoredMessage, Thread, ThreadQuery
from mastra_core.storage.sqlite_schema import SCHEMA
from mastra_core.testing.storage_fixtures import build_suspended_run

WRITER = """
import asyncio, sys
from mastra_core.agents import TextPart
from mastra_core.storage import SqliteStorage, StoredMessage, Thread

async def write(path, name, times):
    storage = SqliteStorage(path)
    thread = Thread(id="shared", resource="ann")
    for n in range(times):
        pair = [
            StoredMessage(id=f"{name}-{n}-{part}", thread="shared", role="user",
                          parts=(TextPart(text="x" * 500),))
            for part in (0, 1)
        ]
        assert await storage.threads.append(thread, pair)
        if n == 0:
            print("begun", flush=True)
    await storage.close()

asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def writer(path, name, times):
    command = [sys.executable, "-c", WRITER, str(path), name, str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def use_storage(storage, work):
    async def run_work():
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run_work())


def open_storage(path, **settings):
    use_storage(SqliteStorage(path, **settings), lambda storage: storage.open())


def list_messages(path, thread="shared"):
    return use_storage(SqliteStorage(path), lambda s: s.threads.recall(thread, 1_000_000)).messages


def test_several_processes_write_one_file(tmp_path):
    path = tmp_path / "app.db"
    children = [writer(path, name, 40) for name in ("a", "b", "c")]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    names = [message.id.rsplit("-", 1)[0] for message in list_messages(path)]
    assert len(names) == 240
    assert names[::2] == names[1::2], "the messages of one call lie together"
    for name in ("a", "b", "c"):
        own = [each for each in names[::2] if each.startswith(name)]
        assert own == [f"{name}-{n}" for n in range(40)]


@pytest.mark.parametrize("wait", [0.0, 0.03, 0.1])
def test_kill_during_a_write_keeps_whole_transactions(tmp_path, wait):
    path = tmp_path / "app.db"
    child = writer(path, "a", 100_000)
    assert child.stdout.readline() == "begun\n"
    threading.Event().wait(wait)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)
    messages = list_messages(path)
    assert messages
    assert len(messages) % 2 == 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_file_that_is_no_database(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but quite long enough to be looked at" * 20)
    with pytest.raises(StorageError, match=r"notes.txt' is not an SQLite database"):
        open_storage(path)
    assert path.read_text().startswith("not a database")


def test_python_without_sqlite(tmp_path, monkeypatch):
    """A Python that was built without the library of SQLite has no such module."""
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(StorageError, match=r"app.db' cannot be opened, because this Python was"):
        open_storage(tmp_path / "app.db")


def test_missing_directory(tmp_path):
    with pytest.raises(StorageError, match=r"cannot be opened\.\nCreate the directory of the file"):
        open_storage(tmp_path / "none" / "app.db")


def test_an_error_names_the_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=f"'{tmp_path}/none/app.db' cannot be opened"):
        open_storage("none/app.db")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_read_only_file(tmp_path):
    path = tmp_path / "app.db"
    open_storage(path)
    path.chmod(0o400)
    with pytest.raises(StorageError, match="read-only"):
        use_storage(SqliteStorage(path), lambda s: s.threads.create(Thread(id="t", resource="r")))


def test_file_of_a_newer_version(tmp_path):
    path = tmp_path / "app.db"
    open_storage(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE mastra_schema SET version = 99")
    with pytest.raises(StorageError, match="newer version of mastra: its tables have version 99"):
        open_storage(path)


def test_tables_are_created_beside_those_of_the_application(tmp_path):
    path = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE threads (mine)")
        connection.execute("PRAGMA user_version = 7")
    open_storage(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (7,)
        version = connection.execute("SELECT version FROM mastra_schema").fetchall()
    assert version == [(SCHEMA.newest,)]


def message(n, text="x"):
    from mastra_core.agents import TextPart

    return StoredMessage(id=f"m{n}", thread="t", role="user", parts=(TextPart(text=text),))


def test_full_disk_keeps_earlier_data(tmp_path):
    """SQLite's own limit of pages gives the same error as a full disk."""
    path = tmp_path / "app.db"
    storage = SqliteStorage(path)
    thread = Thread(id="t", resource="r")

    async def fill(storage):
        await storage.threads.append(thread, [message(0)])
        await storage._file.write(limit)
        with pytest.raises(StorageError, match=r"The disk of .*app.db' is full") as caught:
            await storage.threads.append(thread, [message(1), message(2, "x" * 4_000_000)])
        assert "intact" in caught.value.hint
        return await storage.threads.recall("t", 9)

    def limit(connection):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    assert [each.id for each in use_storage(storage, fill).messages] == ["m0"]


def test_damaged_file(tmp_path):
    path = tmp_path / "app.db"

    async def fill(storage):
        for n in range(200):
            await storage.threads.append(Thread(id="t", resource="r"), [message(n, "x" * 900)])

    use_storage(SqliteStorage(path), fill)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged"):
        use_storage(SqliteStorage(path), lambda s: s.threads.recall("t", 200))


def test_file_locked_by_another_process(tmp_path):
    path = tmp_path / "app.db"
    open_storage(path)
    thread = Thread(id="t", resource="r")

    async def work(storage):
        assert await storage.threads.get("t") is None, "reading does not wait"
        with pytest.raises(StorageError, match="locked by another process"):
            await storage.threads.create(thread)
        other.execute("ROLLBACK")
        return await storage.threads.create(thread)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert use_storage(SqliteStorage(path, busy_timeout=0.05), work)


def test_event_loop_does_not_wait_for_the_disk(tmp_path):
    slow = """WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000)
        SELECT count(*) FROM n"""

    async def work(storage):
        await storage.open()
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticking = asyncio.create_task(tick())
        await storage._file.read(lambda sql: sql.execute(slow).fetchone())
        ticking.cancel()
        return ticks

    assert use_storage(SqliteStorage(tmp_path / "app.db"), work) > 3


@pytest.mark.parametrize("path", ["app.db", ":memory:"])
def test_short_calls_do_not_wait_for_lists(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    held, released = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        released.wait(20)

    async def list_threads(storage):
        assert await create_thread(storage, "one")
        messages = MessageQuery(thread="one")
        holding = asyncio.create_task(storage._file.read(hold, scans=path != ":memory:"))
        await asyncio.to_thread(held.wait, 20)
        lists = [
            asyncio.create_task(storage.threads.find(ThreadQuery())),
            asyncio.create_task(storage.threads.list_messages(messages)),
            asyncio.create_task(storage.suspended_runs.list(SuspendedRunQuery(agent="a"))),
        ]
        if path != ":memory:":  # which has one connection
            assert await create_thread(storage, "two")
            assert (await storage.threads.recall("two", 1)).thread is not None
        assert not any(each.done() for each in (holding, *lists))
        released.set()
        await holding
        found, *_ = await asyncio.gather(*lists)
        return {thread.id for thread in found.items}

    expected = {"one"} if path == ":memory:" else {"one", "two"}
    assert use_storage(SqliteStorage(path), list_threads) == expected


async def create_thread(storage, name):
    return await storage.threads.create(Thread(id=name, resource="ann"))


def test_a_file_that_was_moved_stores_nothing_until_it_is_back(tmp_path):
    path, aside = tmp_path / "app.db", tmp_path / "aside.db"

    async def work(storage):
        assert await create_thread(storage, "before")
        path.rename(aside)
        with pytest.raises(StorageError, match="was deleted or replaced"):
            await create_thread(storage, "lost")
        for read in (storage.threads.get("before"), storage.threads.find(ThreadQuery())):
            with pytest.raises(StorageError, match="was deleted or replaced"):
                await read
        assert not path.exists()
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE other (id)")  # another file in the same place
        with pytest.raises(StorageError, match="was deleted or replaced"):
            await create_thread(storage, "lost")
        aside.replace(path)
        assert await create_thread(storage, "after")
        return [await storage.threads.get(name) is not None for name in ("before", "lost")]

    assert use_storage(SqliteStorage(path), work) == [True, False]


def test_a_relative_path_does_not_depend_on_later_directories(tmp_path, monkeypatch):
    async def work(storage):
        assert await create_thread(storage, "one")
        monkeypatch.chdir("/")
        return await create_thread(storage, "two")

    monkeypatch.chdir(tmp_path)
    assert use_storage(SqliteStorage("app.db"), work)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_process(tmp_path):
    path = tmp_path / "app.db"
    script = f"""
import asyncio, os
from mastra_core.storage import SqliteStorage, Thread
storage = SqliteStorage({str(path)!r})
async def make(name):
    await storage.threads.create(Thread(id=name, resource="r"))
asyncio.run(make("parent"))
if os.fork() == 0:
    asyncio.run(asyncio.wait_for(make("child"), 10))
    os._exit(0)
assert os.wait()[1] == 0
asyncio.run(make("after"))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=30)
    found = use_storage(SqliteStorage(path), lambda s: s.threads.get("child"))
    assert found.resource == "r"


def test_file_of_the_first_version_is_migrated(tmp_path):
    path = tmp_path / "app.db"
    run = build_suspended_run(resource="ann")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in SCHEMA.versions[0]:
            connection.execute(statement)
        connection.execute("CREATE TABLE mastra_schema (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO mastra_schema VALUES (1)")
        data = msgspec.json.encode(run)
        row = (run.run_id, run.agent_id, run.suspended_at, data)
        connection.execute("INSERT INTO mastra_suspended_runs VALUES (?, ?, ?, ?)", row)
    query = SuspendedRunQuery(agent="a", resource="ann", thread="t1", call="c1")
    found = use_storage(SqliteStorage(path), lambda s: s.suspended_runs.list(query))
    assert found.items == (run,)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        sizes = connection.execute("SELECT caller, size FROM mastra_suspended_runs").fetchall()
    assert sizes == [("", len(data))]


def test_unreadable_records_hide_no_others(tmp_path, logs):
    path = str(tmp_path / "app.db")

    async def use(work):
        storage = SqliteStorage(path)
        try:
            return await work(storage)
        finally:
            await storage.close()

    async def write(storage):
        for name in ("t1", "t2"):
            await storage.threads.append(Thread(id=name, resource="ann", metadata={"a": 1}), [])
        for name in ("r1", "r2"):
            await storage.suspended_runs.put(build_suspended_run(name))

    async def read(storage):
        threads = await storage.threads.find(ThreadQuery(resource="ann"))
        runs = await storage.suspended_runs.list(SuspendedRunQuery(agent="a"))
        with pytest.raises(MastraError, match="The metadata of the thread 't1' cannot be read"):
            await storage.threads.get("t1")
        return {thread.id: thread.metadata for thread in threads.items}, runs

    asyncio.run(use(write))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE mastra_threads SET metadata = '{' WHERE id = 't1'")
        connection.execute("UPDATE mastra_suspended_runs SET data = '{}' WHERE id = 'r1'")
        connection.commit()
    threads, runs = asyncio.run(use(read))
    assert threads == {"t1": {}, "t2": {"a": 1}}
    assert [run.run_id for run in runs.items] == ["r2"]
    assert "The suspended run 'r1' cannot be read" in logs.text
    assert "The metadata of the thread 't1' cannot be read" in logs.text


def test_data_of_a_newer_version(tmp_path):
    """The error names the data and the cure; it is no ``StorageError``, which is tried again."""
    path = str(tmp_path / "app.db")

    async def write():
        storage = SqliteStorage(path)
        message = StoredMessage(id="m1", thread="t", role="user", parts=())
        await storage.threads.append(Thread(id="t", resource="ann"), [message])
        await storage.suspended_runs.put(build_suspended_run("r1"))
        await storage.close()

    async def read(call):
        storage = SqliteStorage(path)
        try:
            with pytest.raises(MastraError) as raised:
                await call(storage)
        finally:
            await storage.close()
        return raised.value

    asyncio.run(write())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("""UPDATE mastra_messages SET parts = '[{"type":"dream"}]'""")
        connection.execute("""UPDATE mastra_suspended_runs SET data = '{"run_id":"r1"}'""")
        connection.commit()
    message = asyncio.run(read(lambda storage: storage.threads.get_messages(["m1"])))
    run = asyncio.run(read(lambda storage: storage.suspended_runs.get("a", "r1")))
    assert message.message == (
        "The message 'm1' of the thread 't' cannot be read: Invalid value 'dream' - at `$[0].type`."
    )
    assert run.message.startswith(
        "The suspended run 'r1' cannot be read: Object missing required field"
    )
    for error in (message, run):
        assert not isinstance(error, StorageError)
        assert "update mastra-core" in error.hint
