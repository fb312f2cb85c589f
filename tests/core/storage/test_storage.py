"""The contract of every storage."""

import asyncio
import subprocess
import sys
import time

import msgspec
import pytest

from mastra_core.agents import (
    AgentInput,
    ApprovalRequired,
    FilePart,
    MemorySuspendedRuns,
    SuspendedRun,
    SuspendedRunQuery,
    SuspendedRuns,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.errors import (
    ConfigError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    StorageError,
    TooManyRuns,
)
from mastra_core.storage import (
    History,
    MemoryStorage,
    MessageQuery,
    Recall,
    SqliteStorage,
    Storage,
    StoredMessage,
    Thread,
    ThreadQuery,
    as_storage,
)


def build_message(id="m1", thread="t1", text="hi", role="user", **more):
    return StoredMessage(id=id, thread=thread, role=role, parts=(TextPart(text=text),), **more)


def build_thread(id="t1", resource="ann", **more):
    return Thread(id=id, resource=resource, **more)


def list_ids(messages):
    return [message.id for message in messages]


def test_storage_protocol(storage):
    assert isinstance(storage, Storage)
    assert isinstance(storage.suspended_runs, SuspendedRuns)


def test_thread_round_trip(storage, run):
    threads = storage.threads
    one = build_thread(title="T", metadata={"k": [1, {"a": None}]}, created_at=5, updated_at=6)
    assert run(threads.get("t1")) is None
    assert run(threads.create(one))
    assert run(threads.get("t1")) == one
    assert not run(threads.create(build_thread(resource="bob")))
    assert run(threads.get("t1")) == one
    changed = msgspec.structs.replace(one, title="U", metadata={})
    assert run(threads.update(changed))
    assert run(threads.get("t1")) == changed
    assert not run(threads.update(build_thread("t2")))


def test_changes_of_another_resource_have_no_effect(storage, run):
    threads, thread = storage.threads, build_thread()
    run(threads.append(thread, [build_message()]))
    run(threads.change_working_memory("thread", "t1", lambda _: "notes", "ann"))
    assert not run(threads.update(build_thread(resource="bob"), "bob"))
    assert not run(threads.delete("t1", "bob"))
    assert run(threads.delete_messages(["m1"], "bob")) == 0
    assert run(threads.list_messages(MessageQuery(thread="t1", resource="bob"))).total == 0
    assert run(threads.get_working_memory("thread", "t1", "bob")) == ""
    with pytest.raises(Forbidden, match="'t1'"):
        run(threads.change_working_memory("thread", "t1", lambda _: "theirs", "bob"))
    assert run(threads.get_working_memory("thread", "t1", "ann")) == "notes"
    assert run(threads.list_messages(MessageQuery(thread="t1", resource="ann"))).total == 1
    assert run(threads.update(build_thread(title="T"), "ann"))
    assert run(threads.delete_messages(["m1"], "ann")) == 1
    assert run(threads.delete("t1", "ann"))


def test_page_is_bounded_by_bytes(storage, run):
    messages = [build_message(f"m{number}", text="x" * 1000) for number in range(20)]
    run(storage.threads.append(build_thread(), messages))

    def find(**query):
        query = MessageQuery(thread="t1", max_bytes=15_000, **query)
        return run(storage.threads.list_messages(query))

    assert find(per_page=5).total == 20
    with pytest.raises(InvalidInput, match="perPage"):
        find()
    assert run(storage.threads.list_messages(MessageQuery(thread="t1"))).total == 20


def test_recall_is_bounded_by_bytes(storage, run):
    def recall():
        return list_ids(run(storage.threads.recall("t1", 1000, max_bytes=15_000)).messages)

    messages = [build_message(f"m{number}", text="x" * 1000) for number in range(20)]
    run(storage.threads.append(build_thread(), messages))
    newest = recall()
    assert 3 < len(newest) < 20
    assert newest[-1] == "m19"
    run(storage.threads.append(build_thread(), [build_message("large", text="x" * 20_000)]))
    assert recall() == ["large"]


def test_thread_pages(storage, run):
    for n in range(5):
        whose = "ann" if n < 4 else "bob"
        run(
            storage.threads.create(
                build_thread(f"t{n}", whose, metadata={"odd": n % 2}, updated_at=n)
            )
        )

    def find_ids(**query):
        page = run(storage.threads.find(ThreadQuery(**query)))
        return [item.id for item in page.items], page.total

    assert find_ids() == (["t4", "t3", "t2", "t1", "t0"], 5)
    assert find_ids(resource="ann", per_page=3) == (["t3", "t2", "t1"], 4)
    assert find_ids(resource="ann", per_page=3, page=1) == (["t0"], 4)
    assert find_ids(resource="ann", per_page=3, page=9) == ([], 4)
    assert find_ids(metadata={"odd": 1}, descending=False) == (["t1", "t3"], 2)
    assert find_ids(metadata={"none": None}) == ([], 0)
    assert find_ids(resource="' OR 1=1") == ([], 0)


def test_message_round_trip(storage, run):
    whole = StoredMessage(
        id="m1",
        thread="t1",
        role="assistant",
        parts=(
            TextPart(text="é😀\x00"),
            FilePart(media_type="image/png", data=b"\x00\xff"),
            ToolCallPart(id="c", name="add", arguments={"a": [1]}),
            ToolResultPart(id="c", name="add", result={"sum": None}),
        ),
        created_at=7,
        metadata={"x": 1},
        content={"format": 2, "parts": [{"type": "data-x"}]},
    )
    assert run(storage.threads.append(build_thread(), [whole]))
    assert run(storage.threads.get_messages(["m1", "none", "m1"])) == (whole,)
    assert run(storage.threads.recall("t1", 10)).messages == (whole,)


def test_last_messages_in_order(storage, run):
    run(
        storage.threads.append(
            build_thread(), [build_message(f"m{n}", created_at=9 - n) for n in range(5)]
        )
    )
    run(storage.threads.append(build_thread(), [build_message("m5")]))
    assert list_ids(run(storage.threads.recall("t1", 3)).messages) == ["m3", "m4", "m5"]
    assert run(storage.threads.recall("t1", 0)).messages == ()
    assert run(storage.threads.recall("nothing", 3)) == Recall()


def test_message_pages_and_filters(storage, run):
    messages = [
        build_message(
            f"m{n}", role="assistant" if n % 2 else "user", created_at=n, metadata={"n": n}
        )
        for n in range(6)
    ]
    run(storage.threads.append(build_thread(), messages))

    def find_ids(**query):
        page = run(storage.threads.list_messages(MessageQuery(thread="t1", **query)))
        return list_ids(page.items), page.total

    assert find_ids() == (["m0", "m1", "m2", "m3", "m4", "m5"], 6)
    assert find_ids(per_page=2, page=1) == (["m2", "m3"], 6)
    assert find_ids(per_page=2, descending=True) == (["m5", "m4"], 6)
    assert find_ids(roles=("user",)) == (["m0", "m2", "m4"], 3)
    assert find_ids(roles=("user", "tool"), since=1, until=3) == (["m2"], 1)
    assert find_ids(metadata={"n": 4}) == (["m4"], 1)
    around = storage.threads.get_surrounding
    assert list_ids(run(around("m2", 1, 2))) == ["m1", "m2", "m3", "m4"]
    assert list_ids(run(around("m0", 5, 0))) == ["m0"]
    assert run(around("none", 1, 1)) == ()


def test_append_creates_the_thread_and_titles_it_once(storage, run):
    append, get = storage.threads.append, storage.threads.get
    assert not run(append(build_thread(), [build_message()], create=False))
    assert run(get("t1")) is None
    assert run(append(build_thread(updated_at=1), [build_message()]))
    assert run(append(build_thread(title="First", updated_at=9), [], create=False))
    assert run(append(build_thread(title="Second", updated_at=3), []))
    kept = run(get("t1"))
    assert (kept.title, kept.updated_at) == ("First", 9)


def test_append_to_a_thread_of_another_resource(storage, run):
    assert run(storage.threads.append(build_thread(), [build_message()]))
    assert not run(storage.threads.append(build_thread(resource="bob"), [build_message("m2")]))
    assert list_ids(run(storage.threads.recall("t1", 9)).messages) == ["m1"]


def test_message_id_is_unique_across_threads(storage, run):
    append = storage.threads.append
    run(append(build_thread(), [build_message("m1"), build_message("m2")]))
    run(append(build_thread(), [build_message("m1", text="changed")]))
    first, second = run(storage.threads.recall("t1", 9)).messages
    assert (first.id, first.parts[0].text, second.id) == ("m1", "changed", "m2")
    with pytest.raises(Conflict):
        run(append(build_thread("t2"), [build_message("m9", "t2"), build_message("m1", "t2")]))
    assert run(storage.threads.get("t2")) is None
    assert run(storage.threads.get_messages(["m9"])) == ()


def test_history_is_valid_until_another_write(storage, run):
    threads = storage.threads
    history = History(agent="a", data=b"[1]", messages=2)

    def append_messages(names, **more):
        assert run(threads.append(build_thread(), [build_message(name) for name in names], **more))
        return run(threads.recall("t1", 9))

    assert append_messages(["m1", "m2"], history=history).history == history
    position = run(threads.recall("t1", 9)).position
    assert position
    assert append_messages(["m3"], history=history, after=position).history == history
    assert append_messages(["m4"]).history is None
    assert append_messages(["m5"], history=history, after=position).history is None, (
        "m4 came in between"
    )
    position = run(threads.recall("t1", 9)).position
    assert run(threads.delete_messages(["m5"])) == 1
    assert append_messages(["m6"], history=history, after=position).history is None, (
        "it knows of m5"
    )


def test_delete(storage, run):
    threads = storage.threads
    run(threads.append(build_thread(), [build_message("m1"), build_message("m2")]))
    run(threads.change_working_memory("thread", "t1", lambda _: "notes"))
    assert run(threads.delete_messages(["m1", "m1", "none"])) == 1
    assert list_ids(run(threads.recall("t1", 9)).messages) == ["m2"]
    assert run(threads.delete("t1"))
    assert not run(threads.delete("t1"))
    assert run(threads.recall("t1", 9)) == Recall()
    assert run(threads.get_messages(["m2"])) == ()
    assert run(threads.get_working_memory("thread", "t1")) == ""
    assert run(threads.append(build_thread("t2"), [build_message("m2", "t2")])), (
        "the id is free again"
    )


def test_working_memory_change_is_atomic(storage, run):
    threads = storage.threads
    assert run(threads.get_working_memory("resource", "ann")) == ""
    assert run(threads.change_working_memory("resource", "ann", lambda old: old + "1")) == "1"

    def reject_change(old):
        assert old == "1"
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(threads.change_working_memory("resource", "ann", reject_change))
    assert run(threads.get_working_memory("resource", "ann")) == "1"
    assert run(threads.get_working_memory("thread", "ann")) == ""

    async def change_often():
        change = threads.change_working_memory
        await asyncio.gather(*(change("resource", "ann", lambda old: old + "1") for _ in range(50)))

    run(change_often())
    assert run(threads.get_working_memory("resource", "ann")) == "1" * 51


def build_suspended_run(id="r1", agent="a", at=0, resource="", thread="t1", call="c1"):
    waiting = (ApprovalRequired(id=call, name="pay", arguments={"amount": 3}),)
    return SuspendedRun(
        run_id=id,
        agent_id=agent,
        waiting=waiting,
        history=b"[\xff]",
        run_input=AgentInput(thread=thread, resource=resource, run_id=id),
        suspended_at=at or int(time.time() * 1000),
    )


def list_runs(storage, run, **query):
    return run(storage.suspended_runs.list(SuspendedRunQuery(agent="a", **query)))


def test_suspended_runs(storage, run):
    runs, moment = storage.suspended_runs, int(time.time() * 1000)
    one, two = build_suspended_run("r1", at=moment), build_suspended_run("r2", at=moment + 1)
    for each in (one, two, build_suspended_run("r3", "b")):
        run(runs.put(each))
    assert run(runs.get("a", "r1")) == one
    assert list_runs(storage, run).items == (two, one)
    assert run(runs.take("a", "r1")) == one
    for ask in (runs.get, runs.take):
        for agent, run_id in (("a", "r1"), ("a", "r3")):
            with pytest.raises(NotFound):
                run(ask(agent, run_id))

    async def race():
        return await asyncio.gather(
            runs.take("a", "r2"), runs.take("a", "r2"), return_exceptions=True
        )

    assert sorted(type(got).__name__ for got in run(race())) == ["NotFound", "SuspendedRun"]


def test_suspended_runs_of_two_resources_with_one_id(storage, run):
    runs = storage.suspended_runs
    anns, bobs = (build_suspended_run(resource=name) for name in ("ann", "bob"))
    run(runs.put(anns))
    run(runs.put(bobs))
    assert run(runs.get("a", "r1", "ann")) == anns
    with pytest.raises(Conflict):
        run(runs.take("a", "r1"))
    with pytest.raises(NotFound):
        run(runs.take("a", "r1", "carl"))
    assert run(runs.take("a", "r1", "bob")) == bobs
    assert run(runs.take("a", "r1")) == anns


def test_query_of_suspended_runs(storage, run):
    moment = int(time.time() * 1000)
    for number in range(6):
        resource, thread = f"r{number % 2}", f"t{number % 3}"
        at, call = moment + number, f'c"{number}'
        each = build_suspended_run(f"id{number}", "a", at, resource, thread, call)
        run(storage.suspended_runs.put(each))
    run(storage.suspended_runs.put(build_suspended_run("id9", "b", moment, "r0", "t0", 'c"0')))

    def find(**query):
        page = list_runs(storage, run, **query)
        return [int(each.run_id[2:]) for each in page.items], page.total

    assert find() == ([5, 4, 3, 2, 1, 0], 6)
    assert find(per_page=2, page=1) == ([3, 2], 6)
    assert find(resource="r0") == ([4, 2, 0], 3)
    assert find(resource="") == ([], 0)
    assert find(thread="t1") == ([4, 1], 2)
    assert find(resource="r1", call='c"3') == ([3], 1)
    assert find(since=moment + 1, until=moment + 2) == ([2, 1], 2)


def test_old_suspended_run_is_removed(storage, run):
    run(storage.suspended_runs.put(build_suspended_run(at=1)))
    assert list_runs(storage, run).items == ()
    with pytest.raises(NotFound):
        run(storage.suspended_runs.take("a", "r1"))


def test_reopen_after_close(storage, run):
    run(storage.open())
    run(storage.threads.create(build_thread()))
    run(storage.close())
    run(storage.close())
    assert run(storage.threads.get("t1")).id == "t1"


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


@pytest.mark.parametrize(
    ("value", "kind", "path"),
    [
        (None, MemoryStorage, None),
        ("memory:", MemoryStorage, None),
        ("sqlite:///app.db", SqliteStorage, "app.db"),
        ("sqlite:////data/app.db", SqliteStorage, "/data/app.db"),
    ],
)
def test_storage_url(value, kind, path):
    storage = as_storage(value)
    assert isinstance(storage, kind)
    assert getattr(storage, "path", None) == path


@pytest.mark.parametrize(
    "value", ["app.db", "sqlite:app.db", "sqlite:///", "redis://host", 3, SqliteStorage]
)
def test_invalid_storage(value):
    with pytest.raises(ConfigError, match=r"sqlite:///file\.db"):
        as_storage(value)


def test_password_in_a_url_is_masked():
    with pytest.raises(ConfigError) as caught:
        as_storage("mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)
    assert "host/db" in str(caught.value)


def test_storage_class_loads_no_database():
    script = "import mastra_core, mastra_core.storage as s, sys; s.SqliteStorage('x.db');"
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            script + "print('sqlite3' in sys.modules, 'asyncio' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["False", "False"]


def build_run_of(caller, id, *, resumed=False):
    run = build_suspended_run(id)
    run_input = msgspec.structs.replace(run.run_input, caller=caller)
    return msgspec.structs.replace(run, run_input=run_input, resumed=resumed)


def build_small_stores(path):
    storage = SqliteStorage(path / "small.db", max_suspended_runs=10)
    return (MemorySuspendedRuns(limit=10), storage.suspended_runs)


@pytest.mark.parametrize("kind", [0, 1], ids=["memory", "sqlite"])
def test_suspended_runs_of_one_caller_leave_room_for_others(tmp_path, run, kind):
    runs = build_small_stores(tmp_path)[kind]
    run(runs.put(build_run_of("bob", "waits")))
    for number in range(4):
        run(runs.put(build_run_of("ann", f"ann{number}")))
    with pytest.raises(TooManyRuns):
        run(runs.put(build_run_of("ann", "ann4")))
    run(runs.put(build_run_of("carl", "carl")))
    assert run(runs.get("a", "waits")).caller == "bob"
    assert run(runs.list(SuspendedRunQuery(agent="a"))).total == 6


@pytest.mark.parametrize("kind", [0, 1], ids=["memory", "sqlite"])
def test_resumed_run_is_stored_again_in_a_full_store(tmp_path, run, kind):
    runs = build_small_stores(tmp_path)[kind]
    for number in range(5):
        run(runs.put(build_run_of("ann", f"ann{number}")))
    taken = run(runs.take("a", "ann0"))
    run(runs.put(build_run_of("ann", "newer")))
    run(runs.put(build_run_of("ann", taken.run_id, resumed=True)))
    assert run(runs.list(SuspendedRunQuery(agent="a"))).total == 6


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
