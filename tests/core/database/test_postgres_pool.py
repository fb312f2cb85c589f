"""Connections to a real PostgreSQL server: migration, errors, restarts and notifications."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mastra_core.database import Schema, parse_database_url
from mastra_core.database.message_bus import PostgresBus
from mastra_core.database.postgres_pool import PostgresPool
from mastra_core.errors import ConfigError, StorageError
from tests.postgres import run_postgres

SCHEMA = Schema(
    "example_schema",
    (
        ("CREATE TABLE example (id INTEGER PRIMARY KEY, text TEXT)",),
        ("ALTER TABLE example ADD COLUMN size INTEGER", "INSERT INTO example VALUES (1, 'a', 1)"),
    ),
)


@pytest.fixture
def free_port():
    with socket.socket() as listener:  # bound, but nobody accepts connections
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


def create_pool(url, schema=SCHEMA, **options):
    return PostgresPool(parse_database_url(url), (schema,), **options)


def fetch(sql):
    async def work(connection):
        return await (await connection.execute(sql)).fetchall()

    return work


async def run_once(pool, work):
    try:
        return await pool.run(work)
    finally:
        await pool.close()


def test_many_pools_migrate_once(postgres_url):
    async def migrate():
        pools = [create_pool(postgres_url, max_connections=1) for _ in range(12)]
        await asyncio.gather(*(pool.open() for pool in pools))
        rows = await pools[0].run(fetch("SELECT * FROM example"))
        await asyncio.gather(*(pool.close() for pool in pools))
        return rows

    assert asyncio.run(migrate()) == [(1, "a", 1)]


def test_a_check_does_not_wait_for_a_free_connection(postgres_url):
    async def check_while_busy():
        pool, done = create_pool(postgres_url, max_connections=1), asyncio.Event()
        await pool.run(fetch("SELECT 1"))
        busy = asyncio.create_task(pool.run(lambda _: done.wait()))
        await asyncio.sleep(0)
        await pool.check()
        assert not busy.done()
        done.set()
        await busy
        await pool.close()

    asyncio.run(asyncio.wait_for(check_while_busy(), 8))


def test_tables_of_an_older_version_are_migrated(postgres_url):
    old = Schema(SCHEMA.table, SCHEMA.versions[:1])
    asyncio.run(run_once(create_pool(postgres_url, old), fetch("SELECT 1")))
    rows = asyncio.run(run_once(create_pool(postgres_url), fetch("SELECT size FROM example")))
    assert rows == [(1,)]


def test_tables_of_a_newer_version_are_refused(postgres_url):
    asyncio.run(run_once(create_pool(postgres_url), fetch("SELECT 1")))
    pool = create_pool(postgres_url, Schema(SCHEMA.table, SCHEMA.versions[:1]))
    with pytest.raises(StorageError, match="newer version of mastra: its tables have version 2"):
        asyncio.run(pool.open())
    asyncio.run(run_once(create_pool(postgres_url), fetch("SELECT 1")))


def test_a_failing_migration_stores_nothing(postgres_url):
    defective = Schema(SCHEMA.table, (*SCHEMA.versions, ("CREATE TABLE example (id INTEGER)",)))
    with pytest.raises(StorageError, match="already exists"):
        asyncio.run(create_pool(postgres_url, defective).open())
    assert asyncio.run(
        run_once(create_pool(postgres_url), fetch("SELECT count(*) FROM example"))
    ) == [(1,)]


@pytest.mark.parametrize("kind", ["password", "user", "database", "port", "host", "option"])
def test_a_wrong_url_is_explained(postgres_server, kind):
    right = postgres_server.get_url("postgres")
    port = f":{postgres_server.port}/"
    url, words = {
        "password": (postgres_server.get_url("postgres", password="wr0ng"), "user or the password"),
        "user": (postgres_server.get_url("postgres", user="bob"), "user or the password"),
        "database": (postgres_server.get_url("absent"), "does not exist"),
        "port": (right.replace(port, ":1/"), "cannot be reached"),
        "host": (right.replace("127.0.0.1", "nowhere.invalid"), "cannot be reached"),
        "option": (f"{right}?sslmod=require", "invalid option"),
    }[kind]
    with pytest.raises((StorageError, ConfigError), match=words) as caught:
        asyncio.run(create_pool(url).open())
    assert caught.value.hint
    assert postgres_server.password not in str(caught.value)
    assert "wr0ng" not in str(caught.value)


def test_an_unreachable_server_is_named_with_the_reason(free_port):
    pool = create_pool(f"postgresql://ann@127.0.0.1:{free_port}/app")
    with pytest.raises(StorageError, match=r"cannot be reached: .*refused"):
        asyncio.run(run_once(pool, fetch("SELECT 1")))


def test_options_of_the_url_replace_those_of_the_pool(postgres_url):
    async def read_parameters(options):
        async def read(connection):
            return connection.info.get_parameters()

        return await run_once(create_pool(postgres_url + options), read)

    own = asyncio.run(read_parameters(""))
    assert (own["application_name"], own["tcp_user_timeout"]) == ("mastra", "6000")
    assert own["keepalives_idle"] == "10"
    separator = "&" if "?" in postgres_url else "?"
    others = asyncio.run(read_parameters(f"{separator}application_name=orders&keepalives_idle=60"))
    assert (others["application_name"], others["keepalives_idle"]) == ("orders", "60")
    assert others["tcp_user_timeout"] == "6000"


def test_a_database_in_a_file_has_no_pool():
    with pytest.raises(ConfigError, match="is not a PostgreSQL"):
        create_pool("sqlite:///app.db")


def test_a_transaction_is_repeated_after_a_deadlock(postgres_url):
    async def work_both():
        pool = create_pool(postgres_url)
        await pool.run(fetch("INSERT INTO example VALUES (2, '', 0) RETURNING id"))
        update = "UPDATE example SET size = size + 1 WHERE id = {}"

        def change(first, second):
            async def work(connection):
                await connection.execute(update.format(first))
                await asyncio.sleep(0.1)
                await connection.execute(update.format(second))

            return work

        await asyncio.gather(pool.run(change(1, 2)), pool.run(change(2, 1)))
        rows = await pool.run(fetch("SELECT size FROM example ORDER BY id"))
        await pool.close()
        return rows

    assert asyncio.run(work_both()) == [(3,), (2,)]


def test_an_error_during_the_commit_does_not_say_that_nothing_is_stored(
    postgres_server, postgres_url
):
    async def end_session(connection):
        (number,) = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
        end = f"SELECT pg_terminate_backend({number}, 5000)"
        await asyncio.to_thread(postgres_server.execute, end)

    with pytest.raises(StorageError, match="was lost") as caught:
        asyncio.run(run_once(create_pool(postgres_url), end_session))
    assert "may or may not be stored" in caught.value.hint


@pytest.mark.parametrize("method", ["run", "run_in_autocommit"])
def test_an_access_is_repeated_when_idle_connections_were_closed(
    postgres_server, postgres_url, method
):
    name = postgres_url.rpartition("/")[2]
    close = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def close_and_work():
        pool = create_pool(postgres_url)
        await asyncio.gather(*(pool.run(fetch("SELECT pg_sleep(0.1)")) for _ in range(4)))
        await asyncio.to_thread(postgres_server.execute, close)
        rows = await getattr(pool, method)(fetch("SELECT text FROM example"))
        await pool.close()
        return rows

    assert asyncio.run(close_and_work()) == [("a",)]


def test_a_serialization_failure_is_repeated(postgres_url):
    update = "UPDATE example SET size = size + 1 WHERE id = 1"

    async def change(connection):
        await connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        await connection.execute("SELECT size FROM example")
        await asyncio.sleep(0.1)
        await connection.execute(update)

    async def work_both():
        pool = create_pool(postgres_url)
        await asyncio.gather(*(pool.run(change) for _ in range(3)))
        rows = await pool.run(fetch("SELECT size FROM example"))
        await pool.close()
        return rows

    assert asyncio.run(work_both()) == [(4,)]


def test_a_change_finds_the_primary_after_a_failover(postgres_url):
    become_replica = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"

    async def change():
        pool = create_pool(postgres_url, max_connections=12)

        async def demote(connection):  # as a primary that has become a replica
            await connection.execute(become_replica)
            await asyncio.sleep(0.2)

        await asyncio.gather(*(pool.run_in_autocommit(demote) for _ in range(12)))
        rows = await pool.run(fetch("UPDATE example SET size = 7 WHERE id = 1 RETURNING size"))
        await pool.close()
        return rows

    assert asyncio.run(change()) == [(7,)]


def test_an_idle_transaction_blocks_others_only_for_a_while(postgres_url, monkeypatch):
    monkeypatch.setattr("mastra_core.database.postgres_pool._IDLE_SECONDS", 0.3)
    update = "UPDATE example SET size = size + 1 WHERE id = 1"
    begun, waits = asyncio.Event(), [1.5]

    async def change_slowly(connection):  # as a process that is stopped meanwhile
        await connection.execute(update)
        begun.set()
        await asyncio.sleep(waits.pop() if waits else 0)
        await connection.execute(update)

    async def work_both():
        stopped, other = create_pool(postgres_url), create_pool(postgres_url)
        slow = asyncio.create_task(stopped.run(change_slowly))
        await begun.wait()
        async with asyncio.timeout(1.3):
            await other.run(fetch(f"{update} RETURNING id"))
        await slow  # it was repeated
        rows = await other.run(fetch("SELECT size FROM example WHERE id = 1"))
        await stopped.close()
        await other.close()
        return rows

    assert asyncio.run(work_both()) == [(4,)]


def test_all_connections_in_use_is_explained(postgres_url, monkeypatch):
    monkeypatch.setattr("mastra_core.database.postgres_pool._CONNECT_SECONDS", 0.2)

    async def occupy():
        pool = create_pool(postgres_url, max_connections=1)
        try:
            await pool.run_in_autocommit(lambda _: pool.run(fetch("SELECT 1")))
        finally:
            await pool.close()

    with pytest.raises(StorageError, match="All 1 connections"):
        asyncio.run(occupy())


def test_event_loops_have_connections_of_their_own(postgres_server, postgres_url):
    pool = create_pool(postgres_url, max_connections=2)
    name = postgres_url.rpartition("/")[2]
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"

    async def work():
        for _ in range(20):
            assert await pool.run(fetch("SELECT 1")) == [(1,)]

    with ThreadPoolExecutor(2) as threads, asyncio.Runner() as one, asyncio.Runner() as two:
        for runners in ([one], [two], [one], [one, two]):  # in turn, and at once
            for done in [threads.submit(each.run, work()) for each in runners]:
                done.result(60)
        ((connections,),) = postgres_server.execute(count)
        assert connections <= 4
        one.run(pool.close())
        two.run(work())
        two.run(pool.close())
    deadline = time.monotonic() + 10
    while postgres_server.execute(count) != [(0,)]:
        assert time.monotonic() < deadline


def test_the_end_of_an_event_loop_closes_its_connections(postgres_server, postgres_url):
    pool = create_pool(postgres_url)
    name = postgres_url.rpartition("/")[2]
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"

    async def work():  # with all connections of the pool
        await asyncio.gather(*(pool.run(fetch("SELECT pg_sleep(0.1)")) for _ in range(2)))

    for _ in range(3):
        asyncio.run(work())
        deadline = time.monotonic() + 10
        while postgres_server.execute(count) != [(0,)]:
            assert time.monotonic() < deadline


def test_a_close_ends_no_transaction(postgres_url):
    async def main():
        pool = create_pool(postgres_url)
        await pool.open()
        is_running, may_end = asyncio.Event(), asyncio.Event()

        async def work(connection):
            is_running.set()
            await may_end.wait()
            return await fetch("SELECT 1")(connection)

        running = asyncio.create_task(pool.run(work))
        await is_running.wait()
        await pool.close()
        may_end.set()
        assert await running == [(1,)]

    asyncio.run(main())


def test_a_close_waits_for_connections_that_are_being_opened(postgres_url):
    async def main():
        pool = create_pool(postgres_url)
        opening = asyncio.create_task(pool.open())
        await asyncio.sleep(0)
        await pool.close()
        assert opening.done()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_notifications_arrive(postgres_url):
    async def notify():
        pool = create_pool(postgres_url)
        received = []
        async for payload in pool.listen("example_channel"):
            received.append(payload)
            if len(received) == 3:
                break
            await pool.run(fetch(f"SELECT pg_notify('example_channel', 'n{len(received)}')"))
        await pool.close()
        return received

    assert asyncio.run(notify()) == ["", "n1", "n2"]


def test_messages_are_published_with_one_statement(postgres_server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    last = (
        f"SELECT query FROM pg_stat_activity WHERE datname = '{name}' AND query NOT LIKE 'LISTEN%'"
    )

    async def publish():
        pool = create_pool(postgres_url, max_connections=1)
        bus = PostgresBus(pool)
        messages = bus.listen("example_channel")
        received = [await anext(messages)]
        await bus.publish("example_channel", ["one", "two"])
        received += [await anext(messages) for _ in range(2)]
        queries = await asyncio.to_thread(postgres_server.execute, last)
        await messages.aclose()
        await pool.close()
        return received, queries

    received, queries = asyncio.run(publish())
    assert received == ["", "one", "two"]
    assert [query.split("(")[0] for (query,) in queries] == ["SELECT pg_notify"]


@pytest.mark.slow
def test_a_restart_of_the_server_is_survived(monkeypatch):
    monkeypatch.setattr("mastra_core.database.postgres_pool._CONNECT_SECONDS", 3)

    async def restart(server, url):
        pool = create_pool(url)
        write = fetch("INSERT INTO example VALUES (7, 'kept', 0) RETURNING id")
        await asyncio.gather(*(pool.run(fetch("SELECT pg_sleep(0.05)")) for _ in range(4)))
        await pool.run(write)
        for number in (signal.SIGINT, signal.SIGQUIT):
            await asyncio.to_thread(server.stop, number)
            await asyncio.to_thread(server.start)
            rows = await asyncio.gather(
                *(pool.run(fetch("SELECT text FROM example WHERE id = 7")) for _ in range(4))
            )
            assert rows == [[("kept",)]] * 4
        await asyncio.to_thread(server.stop)
        with pytest.raises(StorageError, match="cannot be reached") as caught:
            await pool.run(fetch("SELECT 1"))
        assert caught.value.hint
        await asyncio.to_thread(server.start)
        assert await pool.run(fetch("SELECT text FROM example WHERE id = 7")) == [("kept",)]
        await pool.close()

    with run_postgres() as server:
        asyncio.run(restart(server, server.create_database()))


def test_the_driver_is_imported_on_use():
    script = (
        "import sys; from mastra_core.database import *; from mastra_core.database import "
        "postgres_pool; pool = postgres_pool.PostgresPool(parse_database_url('postgresql://h/d'));"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_missing_driver_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="psycopg") as caught:
        asyncio.run(create_pool("postgresql://db/app").open())
    assert "mastra-core[postgres]" in caught.value.hint
