"""What agents remember, on every storage."""

import asyncio
import dataclasses
import json
import logging

import pydantic
import pytest

from mastra_core import Agent, AgentInput, Mastra, Memory, MemoryStorage, SqliteStorage, tool
from mastra_core.agents import (
    Failure,
    FilePart,
    Finish,
    Message,
    Start,
    StepFinish,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolResult,
    ToolResultPart,
    as_agent,
)
from mastra_core.describe import describe
from mastra_core.errors import (
    AgentFailed,
    ConfigError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    StorageError,
)
from mastra_core.memory import RememberingAgent, background, memory_of
from mastra_core.storage import MessageQuery, StoredMessage, Thread, ThreadQuery
from tests.core.scripted_model import Script, call


@pytest.fixture
def logged(caplog, monkeypatch):
    """What is logged, whatever an application of another test made of the logger."""
    monkeypatch.setattr(logging.getLogger("mastra"), "propagate", True)
    caplog.set_level("WARNING", logger="mastra")
    return caplog


def asked(text="hi", thread="t1", resource="ann", **more):
    return AgentInput(
        messages=(Message.user(text),) if text else (), thread=thread, resource=resource, **more
    )


class Seen:
    """An agent that answers ``answer N`` and remembers what it was asked."""

    def __init__(self):
        self.wishes = []

    @property
    def agent(self):
        async def seen(wish: AgentInput):
            self.wishes.append(wish)
            return f"answer {len(self.wishes)}"

        return as_agent(seen)

    def told(self, at=-1):
        return [(message.role, message.text) for message in self.wishes[at].messages]


def remembering(agent, storage, **settings):
    return RememberingAgent(as_agent(agent), Memory(storage=storage, **settings))


def stored(run, storage, thread="t1"):
    messages = run(storage.threads.messages(MessageQuery(thread=thread))).items
    return [(message.role, message.parts) for message in messages]


def texts(run, storage, thread="t1"):
    return [
        (role, "".join(part.text for part in parts if isinstance(part, TextPart)))
        for role, parts in stored(run, storage, thread)
    ]


async def events_of(agent, wish):
    return [event async for event in agent.stream(wish)]


def test_what_was_said_before_goes_before(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage)
    assert run(agent.generate(asked("one"))).text == "answer 1"
    run(events_of(agent, asked("two")))
    assert seen.told() == [("user", "one"), ("assistant", "answer 1"), ("user", "two")]
    assert texts(run, storage) == [
        ("user", "one"), ("assistant", "answer 1"), ("user", "two"), ("assistant", "answer 2"),
    ]  # fmt: skip
    run(agent.generate(asked("three", thread="t2")))
    assert seen.told() == [("user", "three")]


def test_a_run_without_a_thread_is_not_remembered(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage)
    run(agent.generate(asked(thread="")))
    run(events_of(agent, AgentInput(messages=(Message.user("hi"),))))
    assert seen.told() == [("user", "hi")]
    assert run(storage.threads.find(ThreadQuery())).total == 0


def test_only_the_last_are_told(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage, last_messages=3)
    for n in range(4):
        run(agent.generate(asked(f"q{n}")))
    assert seen.told() == [("user", "q2"), ("assistant", "answer 3"), ("user", "q3")]
    none = remembering(seen.agent, storage, last_messages=0)
    run(none.generate(asked("again")))
    assert seen.told() == [("user", "again")]
    assert len(stored(run, storage)) == 10


def test_a_run_may_be_told_more_or_less(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage, last_messages=2)
    for n in range(4):
        run(agent.generate(asked(f"q{n}", last_messages=6)))
    assert [text for role, text in seen.told() if role == "user"] == ["q0", "q1", "q2", "q3"]
    run(events_of(agent, asked("q4", last_messages=0)))
    assert seen.told() == [("user", "q4")]
    run(agent.generate(asked("q5")))
    assert [text for role, text in seen.told() if role == "user"] == ["q4", "q5"]


def test_a_thread_of_another_is_refused(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage)
    run(agent.generate(asked()))
    with pytest.raises(Forbidden, match="'t1' belongs to another resource than 'bob'"):
        run(agent.generate(asked(resource="bob")))
    (refused,) = run(events_of(agent, asked(resource="bob")))
    assert (refused.kind, refused.status) == ("Forbidden", 403)
    with pytest.raises(InvalidInput, match="no resource"):
        run(agent.generate(asked(resource="")))
    assert len(seen.wishes) == 1


def test_tools_are_kept_with_their_results(storage, run):
    @tool
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    script = Script(
        ["Let me see. ", call("add", '{"a": 1, "b": 2}')], ["It is 3."], ["Still 3."], ["Yes."]
    )
    agent = Agent(name="a", model=script.model, tools=[add], memory=Memory(storage=storage))
    run(agent.generate(asked("1 + 2?")))
    (_, parts) = stored(run, storage)[1]
    assert parts == (
        TextPart(text="Let me see. "),
        ToolCallPart(id="c1", name="add", arguments={"a": 1, "b": 2}),
        ToolResultPart(id="c1", name="add", result=3),
        TextPart(text="It is 3."),
    )
    run(agent.generate(asked("sure?")))
    kinds = [type(part).__name__ for message in script.asked[-1] for part in message.parts]
    assert kinds == [
        "UserPromptPart", "TextPart", "ToolCallPart", "ToolReturnPart", "TextPart",
        "UserPromptPart",
    ]  # fmt: skip
    other = Agent(name="b", model=script.model, memory=Memory(storage=storage))
    run(other.generate(asked("really?")))
    neutral = [type(part).__name__ for message in script.asked[-1] for part in message.parts]
    assert neutral == [*kinds, "TextPart", "UserPromptPart"]


def history_of(run, storage):
    return run(storage.threads.recall("t1", 0)).history


def test_the_frameworks_own_history_is_used_while_it_tells_all(storage, run):
    script = Script(*(["ok"] for _ in range(9)))
    agent = Agent(name="a", model=script.model, memory=Memory(storage=storage, last_messages=4))
    run(agent.generate(asked("one")))
    kept = history_of(run, storage)
    assert kept.agent.startswith("a ")
    assert kept.messages == 2
    assert json.loads(kept.data)[1]["model_name"]
    run(agent.generate(asked("two")))
    assert history_of(run, storage).messages == 4
    first = script.asked[-1][0]
    assert first.timestamp.isoformat() in kept.data.decode().replace("Z", "+00:00"), "the same one"
    for text in ("three", "four", "five"):
        run(agent.generate(asked(text)))
    prompts = [
        part.content for message in script.asked[-1] for part in message.parts
        if part.part_kind == "user-prompt"
    ]  # fmt: skip
    assert prompts == ["three", "four", "five"], "the last four messages, then the new one"
    assert len(json.loads(history_of(run, storage).data)) == 6


def test_the_history_is_not_used_once_something_else_was_written(storage, run):
    script, seen = Script(["one"], ["two"], ["three"]), Seen()
    memory = Memory(storage=storage)
    agent = Agent(name="a", model=script.model, memory=memory)
    run(agent.generate(asked("q1")))
    assert history_of(run, storage)
    run(RememberingAgent(seen.agent, memory).generate(asked("q2")))
    assert history_of(run, storage) is None
    run(agent.generate(asked("q3")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert contents == ["q1", "one", "q2", "answer 1", "q3"]
    page = run(memory.list_messages(MessageQuery(thread="t1")))
    run(memory.delete_messages([page.items[0].id, page.items[1].id]))
    run(agent.generate(asked("q4")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert contents == ["q2", "answer 1", "q3", "two", "q4"]


def test_a_structured_answer_and_files_are_kept(storage, run):
    @dataclasses.dataclass
    class City:
        name: str

    async def structured(text: str):
        return City("Oslo")

    run(remembering(structured, storage).generate(asked()))
    assert texts(run, storage)[1] == ("assistant", '{"name":"Oslo"}')
    picture = Message(role="user", parts=(FilePart(media_type="image/png", data=b"\xff"),))
    seen = Seen()
    wish = AgentInput(messages=(picture, Message.user("what?")), thread="t2", resource="ann")
    run(remembering(seen.agent, storage).generate(wish))
    assert [role for role, _ in stored(run, storage, "t2")] == ["user", "user", "assistant"]
    run(remembering(seen.agent, storage).generate(asked("and?", thread="t2")))
    assert seen.wishes[-1].messages[0] == picture


def test_a_run_that_only_reads_is_not_kept(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage, generate_title=seen.agent)
    run(agent.generate(asked("one", read_only=True)))
    assert run(storage.threads.get("t1")) is None
    assert len(seen.wishes) == 1, "nobody is asked for a title"
    run(agent.generate(asked("two")))
    run(events_of(agent, asked("three", read_only=True)))
    assert seen.told()[0] == ("user", "two")
    assert len(stored(run, storage)) == 2


def test_system_messages_are_told_and_not_kept(storage, run):
    seen = Seen()
    system = Message(role="system", parts=(TextPart(text="be brief"),))
    wish = AgentInput(messages=(system, Message.user("hi")), thread="t1", resource="ann")
    run(remembering(seen.agent, storage).generate(wish))
    assert seen.told() == [("system", "be brief"), ("user", "hi")]
    assert texts(run, storage) == [("user", "hi"), ("assistant", "answer 1")]


async def breaking(wish: AgentInput):
    yield ToolCall(id="c1", name="pay", arguments={})
    yield ToolResult(id="c1", name="pay", arguments={}, result="paid")
    yield StepFinish(reason="tool-calls", continued=True)
    yield TextDelta(text="You have")
    yield ToolCall(id="c2", name="pay", arguments={})
    raise RuntimeError("the model broke")


def test_a_run_that_breaks_leaves_what_has_happened(storage, run):
    agent = remembering(breaking, storage)
    told = run(events_of(agent, asked("pay")))
    assert isinstance(told[-1], Failure)
    assert stored(run, storage) == [
        ("user", (TextPart(text="pay"),)),
        ("assistant", (
            ToolCallPart(id="c1", name="pay", arguments={}),
            ToolResultPart(id="c1", name="pay", result="paid"),
        )),
    ]  # fmt: skip
    seen = Seen()
    run(remembering(seen.agent, storage).generate(asked("and?")))
    assert [role for role, _ in seen.told()] == ["user", "assistant", "tool", "user"]
    with pytest.raises(AgentFailed):
        run(agent.generate(asked("again")))
    assert texts(run, storage)[-1] == ("user", "again")


def test_a_run_that_is_aborted_keeps_what_the_user_said(storage, run):
    async def slow(text: str):
        yield "half of"
        await asyncio.sleep(60)

    agent = remembering(slow, storage)

    async def closed():
        events = agent.stream(asked("closed"))
        async for event in events:
            if isinstance(event, TextDelta):
                break
        await events.aclose()

    async def cancelled():
        task = asyncio.create_task(events_of(agent, asked("cancelled")))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        task = asyncio.create_task(agent.generate(asked("generated")))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    run(closed())
    run(cancelled())
    assert texts(run, storage) == [("user", t) for t in ("closed", "cancelled", "generated")]


def test_two_runs_of_one_thread_stay_apart(storage, run):
    async def echo(text: str):
        await asyncio.sleep(0.05 if text == "slow" else 0.01)
        return f"echo {text}"

    agent = remembering(echo, storage)

    async def both():
        await asyncio.gather(*(agent.generate(asked(text)) for text in ("slow", "quick")))

    run(both())
    assert texts(run, storage) == [
        ("user", "quick"), ("assistant", "echo quick"), ("user", "slow"), ("assistant", "echo slow"),
    ]  # fmt: skip


def test_of_two_runs_neither_leaves_a_history_without_the_other(storage, run):
    script = Script(["one"], ["two"], ["three"])
    agent = Agent(name="a", model=script.model, memory=Memory(storage=storage))

    async def both():
        await asyncio.gather(agent.generate(asked("q1")), agent.generate(asked("q2")))

    run(both())
    assert len(stored(run, storage)) == 4
    run(agent.generate(asked("q3")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert sorted(contents) == ["one", "q1", "q2", "q3", "two"]


def test_a_thread_that_is_deleted_meanwhile_stays_deleted(storage, run, logged):
    async def forget(wish: AgentInput):
        await storage.threads.delete("t1")
        return "done"

    run(remembering(Seen().agent, storage).generate(asked()))
    assert run(remembering(forget, storage).generate(asked())).text == "done"
    assert run(storage.threads.get("t1")) is None
    assert "is gone or another's" in logged.text


def test_calls_of_the_callers_own_tools(storage, run):
    async def needs(wish: AgentInput):
        if any(message.role == "tool" for message in wish.messages):
            seen.append(wish.messages)
            yield TextDelta(text="thanks")
            yield Finish()
        else:
            yield ToolCall(id="c1", name="locate", arguments={})
            yield StepFinish(reason="tool-calls")
            yield Finish(reason="tool-calls")

    seen = []
    agent = remembering(needs, storage)
    called = Message(role="assistant", parts=(ToolCallPart(id="c1", name="locate", arguments={}),))
    result = Message(role="tool", parts=(ToolResultPart(id="c1", name="locate", result="Oslo"),))
    for thread, answer in (("t1", (called, result)), ("t2", (result,))):
        run(events_of(agent, asked("where am I?", thread)))
        run(events_of(agent, AgentInput(messages=answer, thread=thread, resource="ann")))
        assert [message.role for message in seen[-1]] == ["user", "assistant", "tool"]
        kinds = [role for role, _ in stored(run, storage, thread)]
        assert kinds == ["user", "assistant", "tool", "assistant"]


def test_a_call_that_nobody_answered_is_not_told(storage, run):
    seen = Seen()
    open_call = StoredMessage(
        id="x", thread="t1", role="assistant",
        parts=(ToolCallPart(id="c", name="locate", arguments={}),),
    )  # fmt: skip
    run(storage.threads.append(Thread(id="t1", resource="ann"), [open_call]))
    run(remembering(seen.agent, storage).generate(asked("hello?")))
    assert seen.told() == [("user", "hello?")]


def test_a_suspended_run_goes_on_in_its_thread(storage, run):
    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        """Pays."""
        return "paid"

    script = Script([call("pay", '{"amount": 3}')], ["Paid."], ["Yes."])
    agent = Agent(name="a", model=script.model, tools=[pay], memory=Memory(storage=storage))
    out = run(agent.generate(asked("pay")))
    assert out.reason == "suspended"
    assert texts(run, storage) == [("user", "pay")]
    from mastra_core.agents import Decision

    wish = AgentInput(
        thread="t1", resource="ann", history=out.history, decisions={"c1": Decision()}
    )
    assert run(agent.generate(wish)).text == "Paid."
    assert [role for role, _ in stored(run, storage)] == ["user", "assistant"]
    run(agent.generate(asked("did you?")))
    kinds = [part.part_kind for message in script.asked[-1] for part in message.parts]
    assert kinds == ["user-prompt", "tool-call", "tool-return", "text", "user-prompt"]


def test_an_answer_is_stored_under_the_id_that_start_names(storage, run):
    agent = remembering(Seen().agent, storage)
    start, *_, finish = run(events_of(agent, asked()))
    assert isinstance(start, Start)
    assert isinstance(finish, Finish)
    user, answer = run(storage.threads.recall("t1", 9)).messages
    assert (answer.id, user.id) == (start.message_id, f"{start.message_id}-0")
    out = run(agent.generate(asked()))
    assert out.events[0].message_id == run(storage.threads.recall("t1", 1)).messages[0].id


def test_when_finish_comes_everything_is_stored(storage, run):
    agent = remembering(Seen().agent, storage)

    async def reading():
        async for event in agent.stream(asked()):
            if isinstance(event, Finish):
                return (await storage.threads.recall("t1", 9)).messages
        return ()

    assert len(run(reading())) == 2


def test_many_runs_leave_nothing_behind(storage, run):
    async def turns(text: str):
        if text == "break":
            raise RuntimeError("broken")
        yield "half"
        if text == "stop":
            await asyncio.sleep(60)

    agent = remembering(turns, storage, generate_title=Seen().agent, last_messages=4)

    async def one(number):
        wish = asked(("go", "break", "stop")[number % 3], thread=f"t{number % 7}")
        events = agent.stream(wish)
        async for event in events:
            if isinstance(event, TextDelta) and wish.prompt == "stop":
                break
        await events.aclose()

    async def many():
        for first in range(0, 600, 20):
            await asyncio.gather(*(one(number) for number in range(first, first + 20)))
        return len(asyncio.all_tasks())

    assert run(many()) == 1
    assert not background._going
    totals = [len(stored(run, storage, f"t{n}")) for n in range(7)]
    assert sum(totals) == 800, "all that was said, and every whole answer"


# Working memory


def noting(arguments):
    return [call("update_working_memory", json.dumps({"memory": arguments}))]


def test_notes_of_a_user_are_in_every_thread(storage, run):
    script = Script(noting("- **Name**: Ann"), ["Hello Ann."], ["You are Ann."], ["Who?"])
    memory = Memory(storage=storage, working_memory="- **Name**:")
    agent = Agent(name="a", model=script.model, instructions="Be kind.", memory=memory)
    run(agent.generate(asked("I am Ann")))
    run(agent.generate(asked("who am I?", thread="t2")))
    told = script.asked[-1][-1].instructions
    assert told.startswith("Be kind.")
    assert "<working_memory>\n- **Name**: Ann\n</working_memory>" in told
    assert "- **Name**:\n" in script.asked[0][-1].instructions
    run(agent.generate(asked("who am I?", thread="t3", resource="bob")))
    assert "Ann" not in script.asked[-1][-1].instructions
    assert run(memory.working_memory("t9", "ann")) == "- **Name**: Ann"


def test_notes_of_a_thread_stay_in_it(storage, run):
    script = Script(noting("in t1"), ["ok"], ["ok"])
    memory = Memory(storage=storage, working_memory=True, scope="thread")
    agent = Agent(name="a", model=script.model, memory=memory)
    run(agent.generate(asked()))
    run(agent.generate(asked(thread="t2")))
    assert "in t1" not in script.asked[-1][-1].instructions
    assert "# User Information" in script.asked[-1][-1].instructions
    assert run(memory.working_memory("t1", "ann")) == "in t1"
    run(memory.delete_thread("t1"))
    assert run(memory.working_memory("t1", "ann")) == ""


@dataclasses.dataclass
class Profile:
    name: str = ""
    likes: list[str] = dataclasses.field(default_factory=list)


class Model(pydantic.BaseModel):
    name: str = ""
    likes: list[str] = []


@pytest.mark.parametrize("kind", [Profile, Model])
def test_typed_notes_are_merged_and_checked(storage, run, kind):
    script = Script(
        noting({"name": "Ann", "likes": ["tea"]}),
        noting({"likes": "not a list"}),
        noting({"likes": ["tea", "snow"], "name": None}),
        ["Noted."],
    )
    memory = Memory(storage=storage, working_memory=kind)
    agent = Agent(name="a", model=script.model, memory=memory)
    out = run(agent.generate(asked()))
    assert out.text == "Noted."
    assert json.loads(run(memory.working_memory("t1", "ann"))) == {"likes": ["tea", "snow"]}
    (described,) = script.infos[0].function_tools
    assert "likes" in json.dumps(described.parameters_json_schema)
    run(memory.update_working_memory("t1", "ann", '{"name": "Bo"}'))
    for bad in ('{"name": 3}', "no json"):
        with pytest.raises(InvalidInput):
            run(memory.update_working_memory("t1", "ann", bad))
    assert run(memory.working_memory("t1", "ann")) == '{"name": "Bo"}'


def test_an_agent_without_tools_is_told_the_notes(storage, run):
    seen = Seen()
    agent = remembering(seen.agent, storage, working_memory="Name:")
    run(agent.generate(asked(extra_instructions="Be brief.")))
    assert seen.wishes[0].extra_instructions.startswith("Be brief.\n\nWhat you have noted")
    assert [each.id for each in seen.wishes[0].tools] == ["update_working_memory"]
    run(agent.generate(asked(read_only=True)))
    assert "<working_memory>" in seen.wishes[1].extra_instructions
    assert "update_working_memory" not in seen.wishes[1].extra_instructions
    assert not seen.wishes[1].tools


# Titles


def test_a_thread_gets_a_title_once(storage, run):
    made = []

    async def title(text: str):
        made.append(text)
        return '  "About\n tea"  '

    agent = remembering(Seen().agent, storage, generate_title=title)
    run(agent.generate(asked("I like tea")))
    run(agent.generate(asked("and snow")))
    assert run(storage.threads.get("t1")).title == "About tea"
    assert made == ["I like tea"]


def test_a_run_says_what_a_new_thread_is_like(storage, run):
    agent = remembering(Seen().agent, storage, generate_title=Seen().agent)
    run(agent.generate(asked("hi", thread_title="Tea", thread_metadata={"paid": True})))
    run(agent.generate(asked("hi", thread_title="Snow", thread_metadata={"paid": False})))
    thread = run(storage.threads.get("t1"))
    assert (thread.title, thread.metadata) == ("Tea", {"paid": True})


def test_the_agent_itself_can_be_asked_for_a_title(storage, run):
    script = Script(["About snow"], ["Snow it is."])

    @tool
    def snow() -> str:
        """Snows."""
        return "snow"

    memory = Memory(storage=storage, generate_title=True)
    agent = Agent(name="a", model=script.model, tools=[snow], memory=memory)
    run(agent.generate(asked("snow")))
    texts_of = {run(storage.threads.get("t1")).title, texts(run, storage)[1][1]}
    assert texts_of == {"About snow", "Snow it is."}
    assert sorted(len(info.function_tools) for info in script.infos) == [0, 1]


def test_a_title_that_fails_is_no_failure(storage, run, logged):
    async def title(text: str):
        raise RuntimeError("no idea")

    agent = remembering(Seen().agent, storage, generate_title=title)
    assert run(agent.generate(asked())).text == "answer 1"
    assert run(storage.threads.get("t1")).title == ""
    assert "no title" in logged.text


# Threads


def test_threads_are_managed(storage, run):
    memory = Memory(storage=storage)
    one = run(memory.create_thread(resource="ann", id="t1", title="T", metadata={"k": 1}))
    other = run(memory.create_thread(resource="bob"))
    assert other.id != "t1"
    with pytest.raises(Conflict):
        run(memory.create_thread(resource="bob", id="t1"))
    assert run(memory.get_thread("t1", "ann")) == one
    for ask in (
        memory.get_thread("t1", "bob"),
        memory.update_thread("t1", "bob", title="mine"),
        memory.delete_thread("t1", "bob"),
        memory.list_messages(MessageQuery(thread="t1"), "bob"),
        memory.clone_thread("t1", "bob"),
    ):
        with pytest.raises(Forbidden):
            run(ask)
    with pytest.raises(NotFound):
        run(memory.get_thread("none"))
    changed = run(memory.update_thread("t1", "ann", metadata={"z": 1}))
    assert (changed.title, changed.metadata) == ("T", {"z": 1})
    assert run(memory.update_thread("t1", new_resource="bob")).resource == "bob"
    assert run(memory.threads(ThreadQuery(resource="bob"))).total == 2
    run(memory.delete_thread("t1", "bob"))
    assert run(memory.threads()).total == 1


def said(id, thread="t1", text="hi"):
    return StoredMessage(id=id, thread=thread, role="user", parts=(TextPart(text=text),))


def test_messages_are_saved_and_deleted(storage, run):
    memory = Memory(storage=storage)
    run(memory.save_messages([said("m1"), said("n1", "t2"), said("m2")], "ann"))
    assert [role for role, _ in stored(run, storage)] == ["user", "user"]
    with pytest.raises(Forbidden):
        run(memory.save_messages([said("x1", "t3"), said("x2", "t1")], "bob"))
    assert run(storage.threads.get("t3")) is None
    with pytest.raises(Forbidden):
        run(memory.delete_messages(["m1"], "bob"))
    assert run(memory.delete_messages(["m1", "n1", "none"], "ann")) == 2


def test_a_clone_goes_its_own_way(storage, run):
    memory = Memory(storage=storage)
    run(memory.save_messages([said(f"m{n}", text=str(n)) for n in range(4)], "ann"))
    thread, copies = run(memory.clone_thread("t1", "ann"))
    assert list(copies) == ["m0", "m1", "m2", "m3"]
    assert thread.resource == "ann"
    assert texts(run, storage, thread.id) == texts(run, storage)
    into = Thread(id="copy", resource="ann", title="Copy")
    newest = MessageQuery(thread="t1", per_page=2, descending=True)
    made, copies = run(memory.clone_thread("t1", into=into, query=newest))
    assert (made, list(copies)) == (into, ["m2", "m3"])
    with pytest.raises(Conflict):
        run(memory.clone_thread("t1", into=into))
    run(memory.delete_thread("t1"))
    assert [text for _, text in texts(run, storage, "copy")] == ["2", "3"]


# Mastra


def test_every_agent_of_an_application_remembers_in_its_storage(storage, run):
    seen, own = Seen(), Memory(last_messages=1)
    mastra = Mastra(
        agents={
            "seen": seen.agent,
            "own": Agent(name="own", model="test", memory=own),
        },
        memory={"last_messages": 2},
        storage=storage,
        logger=False,
    )
    agent = mastra.get_agent("seen")
    assert (agent.id, agent.name) == ("seen", "seen")
    assert memory_of(agent) is mastra.memory
    assert memory_of(mastra.get_agent("own")) is own
    assert own.storage is mastra.memory.storage is mastra.storage is storage
    assert mastra.suspended_runs is storage.suspended_runs
    run(agent.generate(asked()))
    assert run(mastra.memory.threads()).total == 1


def test_threads_in_this_process_are_not_for_several(tmp_path):
    def alone(**settings):
        mastra = Mastra(agents={"seen": Seen().agent}, logger=False, **settings)
        return describe(mastra)["serve"]["single_process"]

    assert not alone()
    assert alone(memory=Memory())
    assert not alone(memory=Memory(), storage=SqliteStorage(tmp_path / "app.db"))
    assert not alone(storage="memory:"), "nobody uses it"


def test_an_application_without_a_memory():
    mastra = Mastra(agents={"seen": Seen().agent}, logger=False)
    assert mastra.memory is None
    assert memory_of(mastra.get_agent("seen")) is None
    assert isinstance(mastra.storage, MemoryStorage)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": 3}, "The memory is 3"),
        ({"memory": {"last": 3}}, "last"),
        ({"memory": {"last_messages": -1}}, "last_messages is -1"),
        ({"memory": {"scope": "user"}}, "The scope is 'user'"),
        ({"memory": {"working_memory": " "}}, "template of working memory is empty"),
        ({"memory": {"working_memory": int}}, "is no object"),
        ({"memory": {"generate_title": 3}}, "3 is not an agent"),
        ({"storage": "redis://x"}, "No storage is known"),
    ],
)
def test_a_mistake_and_its_cure(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Mastra(logger=False, **settings)
    assert caught.value.hint


def test_a_storage_that_fails_tells_the_log_and_not_the_caller(tmp_path, run, logged):
    storage = SqliteStorage(tmp_path / "none" / "app.db")
    agent = remembering(Seen().agent, storage)
    with pytest.raises(StorageError):
        run(agent.generate(asked()))
    (told,) = run(events_of(agent, asked()))
    assert told == Failure(message="The memory cannot be read.", kind="StorageError")
    assert str(tmp_path) in logged.text


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(storage, run, logged):
    async def breaks(text: str):
        storage.threads.append = failing
        return "paid for"

    async def failing(*_, **__):
        raise StorageError("The disk is full.")

    assert run(remembering(breaks, storage).generate(asked())).text == "paid for"
    assert "lost a run" in logged.text
