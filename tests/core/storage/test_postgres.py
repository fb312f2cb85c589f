"""The storage in PostgreSQL: several processes, races, restarts, and texts that it cannot store."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from mastra_core import Mastra, PostgresStorage
from mastra_core.database import parse_database_url
from mastra_core.errors import ConfigError, Conflict, NotFound, StorageError
from mastra_core.storage import MemoryStorage, MessageQuery, Thread, ThreadQuery, as_storage
from mastra_core.storage.postgres import postgres_database
from mastra_core.storage.postgres.postgres_database import PostgresDatabase
from mastra_core.storage.sql_database import Statement
from mastra_core.testing.storage_fixtures import (
    build_message,
    build_suspended_run,
    build_thread,
    list_ids,
)
from tests.postgres import run_postgres


def run_with_two(url, work):
    """Run a coroutine with two storages on one database, as two servers have them."""

    async def run():
        one, two = PostgresStorage(url), PostgresStorage(url)
        try:
            return await work(one, two)
        finally:
            await one.close()
            await two.close()

    return asyncio.run(run())


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_is_a_storage(scheme):
    storage = as_storage(f"{scheme}://ann:s3cret@db.example/app")
    assert isinstance(storage, PostgresStorage)
    assert not storage.single_process
    assert "s3cret" not in repr(vars(storage))


def test_an_invalid_url_is_refused_without_its_password():
    with pytest.raises(ConfigError) as caught:
        Mastra(storage="postgresql://ann:s3cret@db.example")
    assert "s3cret" not in str(caught.value)


def test_a_search_by_metadata_compares_few_rows_key_by_key(postgres_server, postgres_url):
    database = postgres_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {database} SET track_functions = 'all'")

    async def search():
        storage = PostgresStorage(postgres_url)
        try:
            for number in range(100):
                metadata = {"kind": number % 20, "tags": ["a", {"b": None}]}
                thread = Thread(id=f"t{number}", resource="r", metadata=metadata)
                await storage.threads.create(thread)
            wanted = {"kind": 3, "tags": ["a", {"b": None}]}
            return await storage.threads.find(ThreadQuery(metadata=wanted))
        finally:
            await storage.close()

    assert asyncio.run(search()).total == 5
    calls = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'mastra_has_metadata'"
    for _ in range(200):  # a server process reports its calls when it ends
        counted = postgres_server.execute(calls, database)
        if counted:
            break
        time.sleep(0.05)
    assert counted == [(10,)]  # to count the five rows, and to return them


@pytest.mark.parametrize(
    ("rows", "is_large"),
    [
        ("SELECT generate_series(1, 1000)", False),
        ("SELECT generate_series(1, 1001)", True),
        ("SELECT convert_to(repeat('x', 1048576), 'UTF8')", False),
        ("SELECT convert_to(repeat('x', 1048577), 'UTF8')", True),
    ],
)
def test_large_results_are_decoded_outside_of_the_event_loop(postgres_url, rows, is_large):
    threads = []

    def convert(results):
        threads.append(threading.get_ident())
        return len(results[0].rows)

    async def work():
        database = PostgresDatabase(parse_database_url(postgres_url), 1)
        try:
            return await database.execute([Statement(rows)], convert)
        finally:
            await database.close()

    assert asyncio.run(work())
    assert (threads[0] != threading.get_ident()) is is_large


def test_two_servers_keep_the_order_of_each_append(postgres_url):
    async def work(one, two):
        batches = [[f"{number}-{part}" for part in range(5)] for number in range(40)]
        await asyncio.gather(
            *(
                (one, two)[number % 2].threads.append(
                    build_thread(), [build_message(name) for name in names]
                )
                for number, names in enumerate(batches)
            )
        )
        page = await one.threads.list_messages(MessageQuery(thread="t1"))
        return list_ids(page.items)

    names = run_with_two(postgres_url, work)
    assert len(names) == 200
    for start in range(0, 200, 5):  # no batch is interrupted by another one
        number = names[start].partition("-")[0]
        assert names[start : start + 5] == [f"{number}-{part}" for part in range(5)]


def test_an_id_is_used_by_one_thread_only(postgres_url):
    async def work(one, two):
        results = await asyncio.gather(
            *(
                storage.threads.append(
                    build_thread(f"t{number}"), [build_message("same", thread=f"t{number}")]
                )
                for number, storage in enumerate([one, two] * 10)
            ),
            return_exceptions=True,
        )
        threads = await one.threads.find(ThreadQuery())
        return results, threads.total

    results, threads = run_with_two(postgres_url, work)
    names = Counter(repr(each) if each is True else type(each).__name__ for each in results)
    assert names == {"True": 1, "Conflict": 19}
    assert threads == 1  # the others have stored nothing


def test_an_append_stores_nothing_if_an_id_is_taken_meanwhile(postgres_url, monkeypatch):
    """Another thread takes the last of 20 ids, after the append has created its own thread."""
    messages = [build_message(f"m{number}", thread="t1") for number in range(20)]
    send, sent = postgres_database._send, []

    async def work(one, two):
        async def send_statement(connection, statement):
            cursor = await send(connection, statement)
            sent.append(statement.sql)
            if len(sent) == 2:
                async with connection.pipeline() as pipeline:
                    await pipeline.sync()  # the server has executed the statement
                await two.threads.append(build_thread("t2"), [build_message("m19", thread="t2")])
            return cursor

        await two.threads.append(build_thread("t3"), [build_message("other", thread="t3")])
        monkeypatch.setattr(postgres_database, "_send", send_statement)
        with pytest.raises(Conflict, match="m19"):
            await one.threads.append(build_thread("t1"), messages)
        return [thread.id for thread in (await one.threads.find(ThreadQuery())).items]

    assert sorted(run_with_two(postgres_url, work)) == ["t2", "t3"]
    assert sent[1].startswith("INSERT INTO mastra_threads")


def test_deleted_messages_stay_deleted_during_appends(postgres_url):
    async def work(one, two):
        await one.threads.append(build_thread(), [build_message("first")])
        appends = (one.threads.append(build_thread(), [build_message(f"m{n}")]) for n in range(20))
        deletes = (two.threads.delete_messages(["first", f"m{n}"]) for n in range(5))
        await asyncio.gather(*appends, *deletes)
        await two.threads.delete_messages([f"m{n}" for n in range(5)])
        return list_ids((await one.threads.recall("t1", 100)).messages)

    assert sorted(run_with_two(postgres_url, work)) == sorted(f"m{n}" for n in range(5, 20))


def test_two_servers_take_each_suspended_run_once(postgres_url):
    names = [f"r{number}" for number in range(100)]

    async def work(one, two):
        for name in names:
            await one.suspended_runs.put(build_suspended_run(name))
        takes = [each.suspended_runs.take("a", name) for name in names for each in (one, two)]
        return await asyncio.gather(*takes, return_exceptions=True)

    results = run_with_two(postgres_url, work)
    assert sorted(getattr(each, "run_id", "") for each in results) == [""] * 100 + sorted(names)
    assert sum(isinstance(each, NotFound) for each in results) == 100


def test_the_limit_of_suspended_runs_holds_for_all_servers(postgres_url):
    async def work():
        storages = [PostgresStorage(postgres_url, max_suspended_runs=10) for _ in range(2)]
        puts = (
            storages[number % 2].suspended_runs.put(build_suspended_run(f"r{number}"))
            for number in range(40)
        )
        results = await asyncio.gather(*puts, return_exceptions=True)
        for storage in storages:
            await storage.close()
        return results.count(None)

    assert asyncio.run(work()) == 10


@pytest.mark.parametrize("text", ["a\x00b", "\uf8ff0", "\uf8ff1\x00\uf8ff", "%s ? é😀"])
def test_every_text_is_stored_exactly(postgres_url, text):
    async def use(storage):
        thread = build_thread(text, text, title=text, metadata={text: [text], "plain": "\\u0000"})
        await storage.threads.append(thread, [build_message(text, thread=text, text=text)])
        await storage.threads.change_working_memory("thread", text, lambda _: text)
        await storage.suspended_runs.put(build_suspended_run(text, call=text, at=7_000_000_000_000))
        query = ThreadQuery(resource=text, metadata={text: [text]})
        found = await storage.threads.find(query)
        messages = await storage.threads.get_messages([text])
        notes = await storage.threads.get_working_memory("thread", text)
        run = await storage.suspended_runs.take("a", text)
        await storage.close()
        return list_ids(found.items), found.items[0].metadata, messages[0].parts, notes, run.run_id

    stored = asyncio.run(use(PostgresStorage(postgres_url)))
    assert stored == asyncio.run(use(MemoryStorage()))


def test_tables_of_a_newer_version_are_refused(postgres_url):
    async def work(one, two):
        await one.open()
        update = "UPDATE mastra_schema SET version = 99"
        await one._database.pool.run(lambda connection: connection.execute(update))
        with pytest.raises(StorageError, match="newer version of mastra: its tables have version"):
            await two.open()

    run_with_two(postgres_url, work)


@pytest.mark.slow
def test_a_restart_loses_nothing_and_needs_no_restart_of_the_app(monkeypatch):
    monkeypatch.setattr("mastra_core.database.postgres_pool._CONNECT_SECONDS", 3)

    async def append(storage, name):
        await storage.threads.append(build_thread(), [build_message(name)])

    async def restart(server, storage):
        await asyncio.gather(*(append(storage, f"a{number}") for number in range(10)))
        await asyncio.to_thread(server.stop)
        with pytest.raises(StorageError) as caught:
            await append(storage, "lost")
        assert "cannot be reached" in caught.value.message
        await asyncio.to_thread(server.start)
        await append(storage, "b")
        recall = await storage.threads.recall("t1", 100)
        await storage.close()
        return list_ids(recall.messages)

    with run_postgres() as server:
        names = asyncio.run(restart(server, PostgresStorage(server.create_database())))
    assert sorted(names) == [*sorted(f"a{number}" for number in range(10)), "b"]


def test_an_app_with_another_storage_imports_no_driver():
    script = """
import asyncio, json, sys
from mastra_core import Agent, Mastra, Memory

async def echo(text: str) -> str:
    return text

mastra = Mastra(agents={"echo": echo}, memory=Memory(), storage="sqlite:///:memory:", logger=False)
asyncio.run(mastra.storage.open())
print(json.dumps([name for name in sys.modules if name.startswith(("psycopg", "mastra_core.storage.postgres"))]))"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
