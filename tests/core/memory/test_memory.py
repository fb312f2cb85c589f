"""The memory of agents, on every storage."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import sqlite3

import pydantic
import pytest

from mastra_core import Agent, AgentInput, Mastra, Memory, MemoryStorage, SqliteStorage, tool
from mastra_core.agents import (
    Failure,
    File,
    FilePart,
    Finish,
    Message,
    ReasoningDelta,
    ReasoningPart,
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
from mastra_core.memory import AgentWithMemory, background, get_memory, storage_outage
from mastra_core.memory.assistant_message import AssistantMessageBuilder
from mastra_core.request_scope import request_lifetime
from mastra_core.storage import MessageQuery, StoredMessage, Thread, ThreadQuery
from tests.core.scripted_model import Script, call, run_agent, thought


def build_input(text="hi", thread="t1", resource="ann", **more):
    return AgentInput(
        messages=(Message.user(text),) if text else (), thread=thread, resource=resource, **more
    )


class Recorder:
    """An agent that answers ``answer N`` and remembers what it was asked."""

    def __init__(self):
        self.inputs = []

    @property
    def agent(self):
        async def record(run_input: AgentInput):
            self.inputs.append(run_input)
            return f"answer {len(self.inputs)}"

        return as_agent(record)

    def list_messages(self, at=-1):
        return [(message.role, message.text) for message in self.inputs[at].messages]


def add_memory(agent, storage, **settings):
    return AgentWithMemory(as_agent(agent), Memory(storage=storage, **settings))


def list_stored(run, storage, thread="t1"):
    messages = run(storage.threads.list_messages(MessageQuery(thread=thread))).items
    return [(message.role, message.parts) for message in messages]


def list_texts(run, storage, thread="t1"):
    return [
        (role, "".join(part.text for part in parts if isinstance(part, TextPart)))
        for role, parts in list_stored(run, storage, thread)
    ]


async def collect_events(agent, run_input):
    return [event async for event in agent.stream(run_input)]


def test_earlier_messages_come_first(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage)
    assert run(agent.generate(build_input("one"))).text == "answer 1"
    run(collect_events(agent, build_input("two")))
    assert seen.list_messages() == [("user", "one"), ("assistant", "answer 1"), ("user", "two")]
    assert list_texts(run, storage) == [
        ("user", "one"), ("assistant", "answer 1"), ("user", "two"), ("assistant", "answer 2"),
    ]  # fmt: skip
    run(agent.generate(build_input("three", thread="t2")))
    assert seen.list_messages() == [("user", "three")]


def test_run_without_a_thread_is_not_stored(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage)
    run(agent.generate(build_input(thread="")))
    run(collect_events(agent, AgentInput(messages=(Message.user("hi"),))))
    assert seen.list_messages() == [("user", "hi")]
    assert run(storage.threads.find(ThreadQuery())).total == 0


def test_last_messages_setting(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage, last_messages=3)
    for n in range(4):
        run(agent.generate(build_input(f"q{n}")))
    assert seen.list_messages() == [("user", "q2"), ("assistant", "answer 3"), ("user", "q3")]
    none = add_memory(seen.agent, storage, last_messages=0)
    run(none.generate(build_input("again")))
    assert seen.list_messages() == [("user", "again")]
    assert len(list_stored(run, storage)) == 10


def test_last_messages_of_one_run(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage, last_messages=2)
    for n in range(4):
        run(agent.generate(build_input(f"q{n}", last_messages=6)))
    assert [text for role, text in seen.list_messages() if role == "user"] == [
        "q0",
        "q1",
        "q2",
        "q3",
    ]
    run(collect_events(agent, build_input("q4", last_messages=0)))
    assert seen.list_messages() == [("user", "q4")]
    run(agent.generate(build_input("q5")))
    assert [text for role, text in seen.list_messages() if role == "user"] == ["q4", "q5"]


def test_thread_of_another_resource_is_rejected(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage)
    run(agent.generate(build_input()))
    with pytest.raises(Forbidden, match="'t1' belongs to another resource than 'bob'"):
        run(agent.generate(build_input(resource="bob")))
    (refused,) = run(collect_events(agent, build_input(resource="bob")))
    assert (refused.kind, refused.status) == ("Forbidden", 403)
    with pytest.raises(InvalidInput, match="no resource"):
        run(agent.generate(build_input(resource="")))
    assert len(seen.inputs) == 1


def test_tool_calls_are_stored_with_results(storage, run):
    @tool
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    script = Script(
        ["Let me see. ", call("add", '{"a": 1, "b": 2}')], ["It is 3."], ["Still 3."], ["Yes."]
    )
    agent = Agent(name="a", model=script.model, tools=[add], memory=Memory(storage=storage))
    run(agent.generate(build_input("1 + 2?")))
    (_, parts) = list_stored(run, storage)[1]
    assert parts == (
        TextPart(text="Let me see. "),
        ToolCallPart(id="c1", name="add", arguments={"a": 1, "b": 2}),
        ToolResultPart(id="c1", name="add", result=3),
        TextPart(text="It is 3."),
    )
    run(agent.generate(build_input("sure?")))
    kinds = [type(part).__name__ for message in script.asked[-1] for part in message.parts]
    assert kinds == [
        "UserPromptPart", "TextPart", "ToolCallPart", "ToolReturnPart", "TextPart",
        "UserPromptPart",
    ]  # fmt: skip
    other = Agent(name="b", model=script.model, memory=Memory(storage=storage))
    run(other.generate(build_input("really?")))
    neutral = [type(part).__name__ for message in script.asked[-1] for part in message.parts]
    assert neutral == [*kinds, "TextPart", "UserPromptPart"]


def read_history(run, storage):
    return run(storage.threads.recall("t1", 0)).history


def test_native_history_is_used_while_complete(storage, run):
    script = Script(*(["ok"] for _ in range(9)))
    agent = Agent(name="a", model=script.model, memory=Memory(storage=storage, last_messages=4))
    run(agent.generate(build_input("one")))
    kept = read_history(run, storage)
    assert kept.agent.startswith("a ")
    assert kept.messages == 2
    assert json.loads(kept.data)[1]["model_name"]
    run(agent.generate(build_input("two")))
    assert read_history(run, storage).messages == 4
    first = script.asked[-1][0]
    assert first.timestamp.isoformat() in kept.data.decode().replace("Z", "+00:00"), "the same one"
    for text in ("three", "four", "five"):
        run(agent.generate(build_input(text)))
    prompts = [
        part.content for message in script.asked[-1] for part in message.parts
        if part.part_kind == "user-prompt"
    ]  # fmt: skip
    assert prompts == ["three", "four", "five"], "the last four messages, then the new one"
    assert len(json.loads(read_history(run, storage).data)) == 6


def test_native_history_is_dropped_after_another_write(storage, run):
    script, seen = Script(["one"], ["two"], ["three"]), Recorder()
    memory = Memory(storage=storage)
    agent = Agent(name="a", model=script.model, memory=memory)
    run(agent.generate(build_input("q1")))
    assert read_history(run, storage)
    run(AgentWithMemory(seen.agent, memory).generate(build_input("q2")))
    assert read_history(run, storage) is None
    run(agent.generate(build_input("q3")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert contents == ["q1", "one", "q2", "answer 1", "q3"]
    page = run(memory.list_messages(MessageQuery(thread="t1")))
    run(memory.delete_messages([page.items[0].id, page.items[1].id]))
    run(agent.generate(build_input("q4")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert contents == ["q2", "answer 1", "q3", "two", "q4"]


def test_structured_answer_and_files_are_stored(storage, run):
    @dataclasses.dataclass
    class City:
        name: str

    async def answer_structured(text: str):
        return City("Oslo")

    run(add_memory(answer_structured, storage).generate(build_input()))
    assert list_texts(run, storage)[1] == ("assistant", '{"name":"Oslo"}')
    picture = Message(role="user", parts=(FilePart(media_type="image/png", data=b"\xff"),))
    seen = Recorder()
    run_input = AgentInput(messages=(picture, Message.user("what?")), thread="t2", resource="ann")
    run(add_memory(seen.agent, storage).generate(run_input))
    assert [role for role, _ in list_stored(run, storage, "t2")] == ["user", "user", "assistant"]
    run(add_memory(seen.agent, storage).generate(build_input("and?", thread="t2")))
    assert seen.inputs[-1].messages[0] == picture


def test_read_only_run_is_not_stored(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage, generate_title=seen.agent)
    run(agent.generate(build_input("one", read_only=True)))
    assert run(storage.threads.get("t1")) is None
    assert len(seen.inputs) == 1, "nobody is asked for a title"
    run(agent.generate(build_input("two")))
    run(collect_events(agent, build_input("three", read_only=True)))
    assert seen.list_messages()[0] == ("user", "two")
    assert len(list_stored(run, storage)) == 2


def test_system_messages_are_sent_and_not_stored(storage, run):
    seen = Recorder()
    system = Message(role="system", parts=(TextPart(text="be brief"),))
    run_input = AgentInput(messages=(system, Message.user("hi")), thread="t1", resource="ann")
    run(add_memory(seen.agent, storage).generate(run_input))
    assert seen.list_messages() == [("system", "be brief"), ("user", "hi")]
    assert list_texts(run, storage) == [("user", "hi"), ("assistant", "answer 1")]


async def fail(run_input: AgentInput):
    yield ToolCall(id="c1", name="pay", arguments={})
    yield ToolResult(id="c1", name="pay", arguments={}, result="paid")
    yield StepFinish(reason="tool-calls", continued=True)
    yield TextDelta(text="You have")
    yield ToolCall(id="c2", name="pay", arguments={})
    raise RuntimeError("the model broke")


def test_failed_run_stores_answered_calls(storage, run):
    agent = add_memory(fail, storage)
    told = run(collect_events(agent, build_input("pay")))
    assert isinstance(told[-1], Failure)
    answered = (
        ToolCallPart(id="c1", name="pay", arguments={}),
        ToolResultPart(id="c1", name="pay", result="paid"),
    )
    assert list_stored(run, storage) == [
        ("user", (TextPart(text="pay"),)),
        ("assistant", answered),
    ]
    seen = Recorder()
    run(add_memory(seen.agent, storage).generate(build_input("and?")))
    assert [role for role, _ in seen.list_messages()] == ["user", "assistant", "tool", "user"]
    with pytest.raises(AgentFailed):
        run(agent.generate(build_input("again")))
    assert list_stored(run, storage)[-2:] == [
        ("user", (TextPart(text="again"),)),
        ("assistant", answered),
    ]


class Piece(str):
    """A piece of text that cannot be added to another text."""

    __slots__ = ()

    def __radd__(self, text):
        raise AssertionError("the text so far would be copied for each piece")


def test_text_is_not_copied_for_each_piece():
    builder = AssistantMessageBuilder()
    for text in ("a", "b", "c"):
        builder.add(TextDelta(text=Piece(text)))
        builder.add(ReasoningDelta(text=Piece(text)))
    assert builder.build_parts() == (ReasoningPart(text="abc"), TextPart(text="abc"))


@pytest.mark.parametrize("number", ["10", None, -1, 2.5])
def test_invalid_number_of_messages(number):
    with pytest.raises(ConfigError, match=r"last_messages=.* is not a valid number"):
        Memory(last_messages=number)


def test_title_of_an_agent_with_structured_answers(storage, run):
    answers = Script([call("final_result", {"city": "Oslo"})])
    titles = Script([call("final_result", {"result": "About tea"})])

    @dataclasses.dataclass
    class Place:
        city: str

    titled = Agent(name="t", model=titles.model, output=Place)
    agent = add_memory(
        Agent(name="a", model=answers.model, output=Place), storage, generate_title=titled
    )
    assert run(agent.generate(build_input("where is tea?"))).object == {"city": "Oslo"}
    assert run(storage.threads.get("t1")).title == "About tea"


def test_aborted_run_stores_the_partial_answer(storage, run):
    async def slow(text: str):
        yield "half of"
        await asyncio.sleep(60)

    agent = add_memory(slow, storage)

    async def close_early():
        events = agent.stream(build_input("closed"))
        async for event in events:
            if isinstance(event, TextDelta):
                break
        await events.aclose()

    async def cancel():
        task = asyncio.create_task(collect_events(agent, build_input("cancelled")))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        task = asyncio.create_task(agent.generate(build_input("generated")))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    run(close_early())
    run(cancel())
    assert list_texts(run, storage) == [
        ("user", "closed"), ("assistant", "half of"),
        ("user", "cancelled"), ("assistant", "half of"),
        ("user", "generated"), ("assistant", "half of"),
    ]  # fmt: skip
    stored = run(storage.threads.list_messages(MessageQuery(thread="t1"))).items
    marked = [message.metadata for message in stored if message.role == "assistant"]
    assert marked == [{"aborted": True}] * 3


@pytest.mark.parametrize("method", ["generate", "stream"])
def test_a_canceled_run_stores_the_calls_that_were_executed(storage, run, method):
    paid, is_waiting = [], asyncio.Event()

    @tool
    async def pay(amount: int) -> str:
        paid.append(amount)
        return f"paid {amount}"

    @tool
    async def wait() -> str:
        is_waiting.set()
        await asyncio.sleep(60)

    script = Script(
        ["I pay.", call("pay", {"amount": 3}, "c1")],
        [call("pay", {"amount": 4}, "c2"), call("wait", {}, "c3", index=1)],
        ["You have paid 7."],
    )
    agent = add_memory(Agent(name="a", model=script.model, tools=[pay, wait]), storage)

    async def cancel():
        start = agent.generate if method == "generate" else functools.partial(collect_events, agent)
        task = asyncio.create_task(start(build_input("pay")))
        await is_waiting.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(cancel())
    (_, message) = run(storage.threads.list_messages(MessageQuery(thread="t1"))).items
    assert (paid, message.metadata) == ([3, 4], {"aborted": True})
    results = [part.result for part in message.parts if isinstance(part, ToolResultPart)]
    assert results == ["paid 3", "paid 4"]
    assert run(agent.generate(build_input("and now?"))).text == "You have paid 7."
    assert "paid 4" in repr(script.asked[-1])


@pytest.mark.parametrize("end", ["cancel", "cancel stream", "close stream", "error"])
def test_a_run_that_ends_early_stores_results_that_nobody_has_read(storage, run, end):
    """Several calls may have finished before the reader of their results continues."""
    tasks = []

    @tool
    async def pay(amount: int) -> str:
        if amount == 1 and end == "error":
            raise OSError("the bank is closed")
        if amount == 3 and end.startswith("cancel"):
            tasks[0].cancel()
        return f"paid {amount}"

    calls = [call("pay", {"amount": each}, f"c{each}", index=each) for each in (1, 2, 3)]
    built_in = Agent(name="a", model=Script(calls).model, tools=[pay], stop_on_tool_error=True)
    agent = add_memory(built_in, storage)

    async def end_run():
        if end == "close stream":
            events = agent.stream(build_input("pay"))
            async for event in events:
                if isinstance(event, ToolResult):
                    break
            await events.aclose()
            return
        streams = functools.partial(collect_events, agent)
        start = streams if end == "cancel stream" else agent.generate
        tasks.append(asyncio.create_task(start(build_input("pay"))))
        await asyncio.wait(tasks)
        assert tasks[0].cancelled() == end.startswith("cancel")
        assert tasks[0].cancelled() or isinstance(tasks[0].exception(), AgentFailed)

    run(end_run())
    (_, message) = run(storage.threads.list_messages(MessageQuery(thread="t1"))).items
    results = [part.result for part in message.parts if isinstance(part, ToolResultPart)]
    assert results == [f"paid {each}" for each in (1, 2, 3) if each != 1 or end != "error"]


def test_concurrent_runs_of_one_thread(storage, run):
    async def echo(text: str):
        await asyncio.sleep(0.05 if text == "slow" else 0.01)
        return f"echo {text}"

    agent = add_memory(echo, storage)

    async def run_both():
        await asyncio.gather(*(agent.generate(build_input(text)) for text in ("slow", "quick")))

    run(run_both())
    assert list_texts(run, storage) == [
        ("user", "quick"), ("assistant", "echo quick"), ("user", "slow"), ("assistant", "echo slow"),
    ]  # fmt: skip


def test_concurrent_runs_store_no_native_history(storage, run):
    script = Script(["one"], ["two"], ["three"])
    agent = Agent(name="a", model=script.model, memory=Memory(storage=storage))

    async def run_both():
        await asyncio.gather(agent.generate(build_input("q1")), agent.generate(build_input("q2")))

    run(run_both())
    assert len(list_stored(run, storage)) == 4
    run(agent.generate(build_input("q3")))
    contents = [part.content for message in script.asked[-1] for part in message.parts]
    assert sorted(contents) == ["one", "q1", "q2", "q3", "two"]


def test_thread_deleted_during_a_run_stays_deleted(storage, run, logs):
    async def delete_thread(run_input: AgentInput):
        await storage.threads.delete("t1")
        return "done"

    run(add_memory(Recorder().agent, storage).generate(build_input()))
    assert run(add_memory(delete_thread, storage).generate(build_input())).text == "done"
    assert run(storage.threads.get("t1")) is None
    assert "was deleted or belongs to another resource" in logs.text


def test_client_tool_calls(storage, run):
    async def answer_client_tool(run_input: AgentInput):
        if any(message.role == "tool" for message in run_input.messages):
            seen.append(run_input.messages)
            yield TextDelta(text="thanks")
            yield Finish()
        else:
            yield ToolCall(id="c1", name="locate", arguments={})
            yield StepFinish(reason="tool-calls")
            yield Finish(reason="tool-calls")

    seen = []
    agent = add_memory(answer_client_tool, storage)
    called = Message(role="assistant", parts=(ToolCallPart(id="c1", name="locate", arguments={}),))
    result = Message(role="tool", parts=(ToolResultPart(id="c1", name="locate", result="Oslo"),))
    for thread, answer in (("t1", (called, result)), ("t2", (result,))):
        run(collect_events(agent, build_input("where am I?", thread)))
        run(collect_events(agent, AgentInput(messages=answer, thread=thread, resource="ann")))
        assert [message.role for message in seen[-1]] == ["user", "assistant", "tool"]
        kinds = [role for role, _ in list_stored(run, storage, thread)]
        assert kinds == ["user", "assistant", "tool", "assistant"]


def test_unanswered_call_is_not_sent(storage, run):
    seen = Recorder()
    open_call = StoredMessage(
        id="x", thread="t1", role="assistant",
        parts=(ToolCallPart(id="c", name="locate", arguments={}),),
    )  # fmt: skip
    run(storage.threads.append(Thread(id="t1", resource="ann"), [open_call]))
    run(add_memory(seen.agent, storage).generate(build_input("hello?")))
    assert seen.list_messages() == [("user", "hello?")]


def test_suspended_run_resumes_in_its_thread(storage, run):
    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        """Pays."""
        return "paid"

    script = Script([call("pay", '{"amount": 3}')], ["Paid."], ["Yes."])
    agent = Agent(name="a", model=script.model, tools=[pay], memory=Memory(storage=storage))
    out = run(agent.generate(build_input("pay", run_id="r1")))
    assert out.reason == "suspended"
    _, waiting = run(storage.threads.recall("t1", 9)).messages
    (entry,) = waiting.metadata["pendingToolApprovals"].values()
    assert entry == {
        "toolCallId": "c1", "toolName": "pay", "args": {"amount": 3}, "type": "approval",
        "runId": "r1",
    }  # fmt: skip
    from mastra_core.agents import Decision

    run_input = AgentInput(
        thread="t1", resource="ann", run_id="r1", history=out.history, decisions={"c1": Decision()}
    )
    assert run(agent.generate(run_input)).text == "Paid."
    _, answer = run(storage.threads.recall("t1", 9)).messages
    assert (answer.id, answer.metadata) == (waiting.id, {})
    assert [type(part).__name__ for part in answer.parts] == [
        "ToolCallPart", "ToolResultPart", "TextPart",
    ]  # fmt: skip
    run(agent.generate(build_input("did you?")))
    kinds = [part.part_kind for message in script.asked[-1] for part in message.parts]
    assert kinds == ["user-prompt", "tool-call", "tool-return", "text", "user-prompt"]


def test_answer_is_stored_under_the_id_of_start(storage, run):
    agent = add_memory(Recorder().agent, storage)
    start, *_, finish = run(collect_events(agent, build_input()))
    assert isinstance(start, Start)
    assert isinstance(finish, Finish)
    user, answer = run(storage.threads.recall("t1", 9)).messages
    assert (answer.id, user.id) == (start.message_id, f"{start.message_id}-0")
    out = run(agent.generate(build_input()))
    assert out.events[0].message_id == run(storage.threads.recall("t1", 1)).messages[0].id


def test_everything_is_stored_before_finish(storage, run):
    agent = add_memory(Recorder().agent, storage)

    async def read_events():
        async for event in agent.stream(build_input()):
            if isinstance(event, Finish):
                return (await storage.threads.recall("t1", 9)).messages
        return ()

    assert len(run(read_events())) == 2


def test_many_runs_leak_nothing(storage, run):
    async def take_turns(text: str):
        if text == "break":
            raise RuntimeError("broken")
        yield "half"
        if text == "stop":
            await asyncio.sleep(60)

    agent = add_memory(take_turns, storage, generate_title=Recorder().agent, last_messages=4)

    async def run_one(number):
        run_input = build_input(("go", "break", "stop")[number % 3], thread=f"t{number % 7}")
        events = agent.stream(run_input)
        async for event in events:
            if isinstance(event, TextDelta) and run_input.prompt == "stop":
                break
        await events.aclose()

    async def run_many():
        for first in range(0, 600, 20):
            await asyncio.gather(*(run_one(number) for number in range(first, first + 20)))
        return len(asyncio.all_tasks())

    assert run(run_many()) == 1
    assert not request_lifetime._tasks
    totals = [len(list_stored(run, storage, f"t{n}")) for n in range(7)]
    assert sum(totals) == 1000, "all that was said, and every answer of a run that did not fail"


# Working memory


def build_noting_agent(arguments):
    return [call("update_working_memory", json.dumps({"memory": arguments}))]


def test_resource_notes_are_in_every_thread(storage, run):
    script = Script(
        build_noting_agent("- **Name**: Ann"), ["Hello Ann."], ["You are Ann."], ["Who?"]
    )
    memory = Memory(storage=storage, working_memory="- **Name**:")
    agent = Agent(name="a", model=script.model, instructions="Be kind.", memory=memory)
    run(agent.generate(build_input("I am Ann")))
    run(agent.generate(build_input("who am I?", thread="t2")))
    told = script.asked[-1][-1].instructions
    assert told.startswith("Be kind.")
    assert "<working_memory>\n- **Name**: Ann\n</working_memory>" in told
    assert "- **Name**:\n" in script.asked[0][-1].instructions
    run(agent.generate(build_input("who am I?", thread="t3", resource="bob")))
    assert "Ann" not in script.asked[-1][-1].instructions
    assert run(memory.get_working_memory("t9", "ann")) == "- **Name**: Ann"


def test_thread_notes_stay_in_their_thread(storage, run):
    script = Script(build_noting_agent("in t1"), ["ok"], ["ok"])
    memory = Memory(storage=storage, working_memory=True, scope="thread")
    agent = Agent(name="a", model=script.model, memory=memory)
    run(agent.generate(build_input()))
    run(agent.generate(build_input(thread="t2")))
    assert "in t1" not in script.asked[-1][-1].instructions
    assert "# User Information" in script.asked[-1][-1].instructions
    assert run(memory.get_working_memory("t1", "ann")) == "in t1"
    run(memory.delete_thread("t1"))
    assert run(memory.get_working_memory("t1", "ann")) == ""


@dataclasses.dataclass
class Profile:
    name: str = ""
    likes: list[str] = dataclasses.field(default_factory=list)


class Model(pydantic.BaseModel):
    name: str = ""
    likes: list[str] = []


@pytest.mark.parametrize("kind", [Profile, Model])
def test_typed_notes_are_merged_and_validated(storage, run, kind):
    script = Script(
        build_noting_agent({"name": "Ann", "likes": ["tea"]}),
        build_noting_agent({"likes": "not a list"}),
        build_noting_agent({"likes": ["tea", "snow"], "name": None}),
        ["Noted."],
    )
    memory = Memory(storage=storage, working_memory=kind)
    agent = Agent(name="a", model=script.model, memory=memory)
    out = run(agent.generate(build_input()))
    assert out.text == "Noted."
    assert json.loads(run(memory.get_working_memory("t1", "ann"))) == {"likes": ["tea", "snow"]}
    (described,) = script.infos[0].function_tools
    assert "likes" in json.dumps(described.parameters_json_schema)
    run(memory.update_working_memory("t1", "ann", '{"name": "Bo"}'))
    for bad in ('{"name": 3}', "no json"):
        with pytest.raises(InvalidInput):
            run(memory.update_working_memory("t1", "ann", bad))
    assert run(memory.get_working_memory("t1", "ann")) == '{"name": "Bo"}'


def test_instructions_say_how_to_change_the_notes(storage, run):
    def read_instructions(setting):
        script = Script(["ok"])
        memory = Memory(storage=storage, working_memory=setting)
        run(Agent(name="a", model=script.model, memory=memory).generate(build_input()))
        return script.infos[0].instructions or ""

    class Notes(pydantic.BaseModel):
        name: str = ""

    assert "with the whole notes" in read_instructions("# Name")
    assert "with the fields that changed" in read_instructions(Notes)
    for disabled in (None, False):
        assert "<working_memory>" not in read_instructions(disabled)
        with pytest.raises(InvalidInput, match="Working memory is disabled"):
            run(
                Memory(storage=storage, working_memory=disabled).update_working_memory(
                    "t1", "ann", "notes"
                )
            )


def test_agent_without_tools_gets_the_notes(storage, run):
    seen = Recorder()
    agent = add_memory(seen.agent, storage, working_memory="Name:")
    run(agent.generate(build_input(extra_instructions="Be brief.")))
    assert seen.inputs[0].extra_instructions.startswith("Be brief.\n\nWhat you have noted")
    assert [each.id for each in seen.inputs[0].tools] == ["update_working_memory"]
    run(agent.generate(build_input(read_only=True)))
    assert "<working_memory>" in seen.inputs[1].extra_instructions
    assert "update_working_memory" not in seen.inputs[1].extra_instructions
    assert not seen.inputs[1].tools


def test_file_of_an_answer_is_stored(storage, run):
    async def draw(run_input: AgentInput):
        yield File(media_type="image/png", data=b"png")
        yield Finish(reason="stop")

    run(add_memory(draw, storage).generate(build_input("draw")))
    (_, answer) = list_stored(run, storage)
    assert answer == ("assistant", (FilePart(media_type="image/png", data=b"png"),))


# Titles


def test_title_is_generated_once(storage, run):
    prompts = []

    async def title(text: str):
        prompts.append(text)
        return '  "About\n tea"  '

    agent = add_memory(Recorder().agent, storage, generate_title=title)
    run(agent.generate(build_input("I like tea")))
    run(agent.generate(build_input("and snow")))
    assert run(storage.threads.get("t1")).title == "About tea"
    assert prompts == ["I like tea"]


def test_run_sets_title_and_metadata_of_a_new_thread(storage, run):
    agent = add_memory(Recorder().agent, storage, generate_title=Recorder().agent)
    run(agent.generate(build_input("hi", thread_title="Tea", thread_metadata={"paid": True})))
    run(agent.generate(build_input("hi", thread_title="Snow", thread_metadata={"paid": False})))
    thread = run(storage.threads.get("t1"))
    assert (thread.title, thread.metadata) == ("Tea", {"paid": True})


def test_agent_generates_its_own_title(storage, run):
    script = Script(["About snow"], ["Snow it is."])

    @tool
    def ask_about_snow() -> str:
        """Snows."""
        return "snow"

    memory = Memory(storage=storage, generate_title=True)
    agent = Agent(name="a", model=script.model, tools=[ask_about_snow], memory=memory)
    run(agent.generate(build_input("snow")))
    texts_of = {run(storage.threads.get("t1")).title, list_texts(run, storage)[1][1]}
    assert texts_of == {"About snow", "Snow it is."}
    assert sorted(len(info.function_tools) for info in script.infos) == [0, 1]


def test_title_that_hangs_does_not_hold_the_run(storage, run, logs, monkeypatch):
    async def title(text: str):
        await asyncio.Event().wait()

    monkeypatch.setattr(background, "_MAX_WAIT", 0.05)
    agent = add_memory(Recorder().agent, storage, generate_title=title)
    assert run(agent.generate(build_input("hi"))).text == "answer 1"
    assert run(storage.threads.get("t1")).title == ""
    assert "no title was generated" in logs.text


def test_title_that_is_slower_than_the_run_is_stored(storage, run):
    async def title(text: str):
        await asyncio.sleep(0.05)
        return "About tea"

    agent = add_memory(Recorder().agent, storage, generate_title=title)
    run(agent.generate(build_input("I like tea")))
    assert run(storage.threads.get("t1")).title == "About tea"


def test_title_of_a_failed_run_is_cancelled(storage, run, logs):
    ends = []

    async def title(text: str):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def fail(run_input: AgentInput):
        await asyncio.sleep(0.05)  # the title has begun
        raise RuntimeError("no idea")

    with pytest.raises(AgentFailed):
        run(add_memory(fail, storage, generate_title=title).generate(build_input("hi")))
    assert ends == ["cancelled"]
    assert "no title was generated" not in logs.text, "the run does not wait for its title"


def test_failed_title_does_not_fail_the_run(storage, run, logs):
    async def title(text: str):
        raise RuntimeError("no idea")

    agent = add_memory(Recorder().agent, storage, generate_title=title)
    assert run(agent.generate(build_input())).text == "answer 1"
    assert run(storage.threads.get("t1")).title == ""
    assert "no title" in logs.text


def test_title_agent_without_a_description_does_not_fail_the_run(storage, run, logs):
    class Nameless:
        id = name = "nameless"
        description = ""

        def info(self):
            raise RuntimeError("no description")

        async def generate(self, input, /):
            raise AssertionError

        stream = generate

    agent = add_memory(Recorder().agent, storage, generate_title=Nameless())
    assert run(agent.generate(build_input())).text == "answer 1"
    assert run(storage.threads.get("t1")).title == ""
    assert "no title" in logs.text


# Threads


def test_thread_management(storage, run):
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
    assert run(memory.list_threads(ThreadQuery(resource="bob"))).total == 2
    run(memory.delete_thread("t1", "bob"))
    assert run(memory.list_threads()).total == 1


def test_concurrent_updates_of_a_thread_lose_nothing(storage, run):
    memory = Memory(storage=storage)
    run(memory.create_thread(resource="ann", id="t1", title="T", metadata={"a": 1}))

    async def update_both():
        await asyncio.gather(
            memory.update_thread("t1", title="new"),
            memory.update_thread("t1", metadata={"a": 2}),
        )

    run(update_both())
    thread = run(memory.get_thread("t1"))
    assert (thread.title, thread.metadata) == ("new", {"a": 2})


class InterruptedMemory(Memory):
    """A memory whose threads another caller renames after this memory has read them."""

    async def get_thread(self, thread_id, resource=None):
        thread = await super().get_thread(thread_id, resource)
        await Memory(storage=self.storage).update_thread(thread_id, title="new")
        return thread


def test_an_update_keeps_what_another_caller_changes_after_the_read(storage, run):
    memory = InterruptedMemory(storage=storage)
    run(memory.create_thread(resource="ann", id="t1", title="T", metadata={"a": 1}))
    changed = run(memory.update_thread("t1", metadata={"a": 2}))
    assert (changed.title, changed.metadata) == ("new", {"a": 2})
    assert run(Memory(storage=storage).get_thread("t1")) == changed


def test_a_clone_is_stored_as_a_whole_or_not_at_all(tmp_path, run):
    memory = Memory(storage=SqliteStorage(tmp_path / "app.db"))
    run(memory.save_messages([build_message("m1")], "ann"))
    with contextlib.closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.execute(
            """CREATE TRIGGER refuse BEFORE INSERT ON mastra_messages
            BEGIN SELECT RAISE(ABORT, 'refused'); END"""
        )
    with pytest.raises(StorageError, match="refused"):
        run(memory.clone_thread("t1"))
    assert run(memory.list_threads()).total == 1
    run(memory.storage.close())


def build_message(id, thread="t1", text="hi"):
    return StoredMessage(id=id, thread=thread, role="user", parts=(TextPart(text=text),))


def test_save_and_delete_messages(storage, run):
    memory = Memory(storage=storage)
    run(
        memory.save_messages(
            [build_message("m1"), build_message("n1", "t2"), build_message("m2")], "ann"
        )
    )
    assert [role for role, _ in list_stored(run, storage)] == ["user", "user"]
    with pytest.raises(Forbidden):
        run(memory.save_messages([build_message("x1", "t3"), build_message("x2", "t1")], "bob"))
    assert run(storage.threads.get("t3")) is None
    with pytest.raises(Forbidden):
        run(memory.delete_messages(["m1"], "bob"))
    assert run(memory.delete_messages(["m1", "n1", "none"], "ann")) == 2


def test_cloned_thread_is_independent(storage, run):
    memory = Memory(storage=storage)
    run(memory.save_messages([build_message(f"m{n}", text=str(n)) for n in range(4)], "ann"))
    thread, copies = run(memory.clone_thread("t1", "ann"))
    assert list(copies) == ["m0", "m1", "m2", "m3"]
    assert thread.resource == "ann"
    assert list_texts(run, storage, thread.id) == list_texts(run, storage)
    into = Thread(id="copy", resource="ann", title="Copy")
    newest = MessageQuery(thread="t1", per_page=2, descending=True)
    clone, copies = run(memory.clone_thread("t1", into=into, query=newest))
    assert (clone, list(copies)) == (into, ["m2", "m3"])
    with pytest.raises(Conflict):
        run(memory.clone_thread("t1", into=into))
    run(memory.delete_thread("t1"))
    assert [text for _, text in list_texts(run, storage, "copy")] == ["2", "3"]


# Mastra


def test_agents_use_the_storage_of_the_application(storage, run):
    seen, own = Recorder(), Memory(last_messages=1)
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
    assert (agent.id, agent.name) == ("record", "record")
    assert get_memory(agent) is mastra.memory
    assert get_memory(mastra.get_agent("own")) is own
    assert own.storage is mastra.memory.storage is mastra.storage is storage
    assert mastra.suspended_runs is storage.suspended_runs
    run(agent.generate(build_input()))
    assert run(mastra.memory.list_threads()).total == 1


def test_memory_storage_is_single_process(tmp_path):
    def is_single_process(**settings):
        mastra = Mastra(agents={"seen": Recorder().agent}, logger=False, **settings)
        return describe(mastra)["serve"]["single_process"]

    assert not is_single_process()
    assert is_single_process(memory=Memory())
    assert not is_single_process(memory=Memory(), storage=SqliteStorage(tmp_path / "app.db"))
    assert not is_single_process(storage="memory:"), "nobody uses it"


def test_agents_that_wait_for_approvals_in_memory_are_single_process(tmp_path):
    def is_single_process(agent, **settings):
        return describe(Mastra(agents={"a": agent}, logger=False, **settings))["serve"][
            "single_process"
        ]

    @tool(requires_approval=True)
    def pay(amount: int) -> int:
        return amount

    paying = Agent(name="pay", model="test", tools=[pay])
    assert is_single_process(paying)
    assert is_single_process(Agent(name="boss", model="test", agents={"pay": paying}))
    assert not is_single_process(Agent(name="plain", model="test"))
    assert not is_single_process(paying, storage=SqliteStorage(tmp_path / "app.db"))


def test_application_without_a_memory():
    mastra = Mastra(agents={"seen": Recorder().agent}, logger=False)
    assert mastra.memory is None
    assert get_memory(mastra.get_agent("seen")) is None
    assert isinstance(mastra.storage, MemoryStorage)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": 3}, "3 is not a memory"),
        ({"memory": {"last": 3}}, "last"),
        ({"memory": {"last_messages": -1}}, "last_messages=-1 is not a valid number"),
        ({"memory": {"scope": "user"}}, "scope 'user' does not exist"),
        ({"memory": {"working_memory": " "}}, "template of working memory is empty"),
        ({"memory": {"working_memory": int}}, "is not an object"),
        ({"memory": {"generate_title": 3}}, "3 is not an agent"),
        ({"storage": "redis://x"}, "is of an unknown kind"),
    ],
)
def test_invalid_settings(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Mastra(logger=False, **settings)
    assert caught.value.hint


def test_storage_error_is_logged_and_hidden(tmp_path, run, logs):
    storage = SqliteStorage(tmp_path / "none" / "app.db")
    agent = add_memory(Recorder().agent, storage)
    with pytest.raises(StorageError):
        run(agent.generate(build_input()))
    (told,) = run(collect_events(agent, build_input()))
    assert told == Failure(message="The memory cannot be read.", kind="StorageError")
    assert str(tmp_path) in logs.text


def test_answer_is_returned_when_storing_fails(storage, run, logs, monkeypatch):
    monkeypatch.setattr(storage_outage, "_MAX_WAIT", 0.2)

    async def fail_run(text: str):
        storage.threads.append = raise_storage_error
        return "paid for"

    async def raise_storage_error(*_, **__):
        raise StorageError("The disk is full.")

    assert run(add_memory(fail_run, storage).generate(build_input())).text == "paid for"
    assert "cannot be stored" in logs.text


def test_a_run_is_stored_after_a_short_outage(storage, run):
    failures = [StorageError("The connection was lost."), StorageError("The server starts.")]
    append = storage.threads.append

    async def fail_at_first(*arguments, **options):
        if failures:
            raise failures.pop()
        return await append(*arguments, **options)

    storage.threads.append = fail_at_first
    agent = add_memory(Recorder().agent, storage, generate_title=Recorder().agent)
    run(agent.generate(build_input()))
    assert list_texts(run, storage) == [("user", "hi"), ("assistant", "answer 1")]
    assert run(storage.threads.get("t1")).title == "answer 1"


def test_thread_that_another_resource_creates_again_is_not_changed(storage, run):
    memory = Memory(storage=storage)

    async def create_victims_thread():
        while True:
            try:
                return await memory.create_thread(resource="ann", id="t")
            except Conflict:
                await asyncio.sleep(0)

    async def change(action):
        with contextlib.suppress(NotFound, Forbidden):
            await action

    async def play_round():
        await memory.create_thread(resource="mallory", id="t")
        await asyncio.gather(
            create_victims_thread(),
            *(change(memory.update_thread("t", "mallory", title="x")) for _ in range(3)),
            *(change(memory.delete_thread("t", "mallory")) for _ in range(3)),
        )
        thread = await memory.get_thread("t", "ann")
        await memory.delete_thread("t")
        return thread

    async def play():
        for _ in range(50):
            assert (await play_round()).title == ""

    run(play())


def test_reasoning_is_stored_and_not_sent_again():
    script = Script([thought("Two and two."), "Four."], ["Again four."])
    memory = Memory()
    agent = Agent(name="a", model=script.model, memory=memory)
    run_agent(agent, build_input("What?"))
    stored = asyncio.run(memory.list_messages(MessageQuery(thread="t1"))).items
    assert stored[1].parts == (ReasoningPart(text="Two and two."), TextPart(text="Four."))
    other = Agent(name="b", model=script.model, memory=memory)  # gets no history of the framework
    run_agent(other, build_input("Sure?"))
    sent = [part for message in script.asked[-1] for part in message.parts]
    assert [part.content for part in sent] == ["What?", "Four.", "Sure?"]


def test_structured_answer_is_stored_without_its_invalid_forms():
    schema = {"type": "array", "items": {"type": "integer"}}
    turns = [call("final_result", {"elements": ["x"]})], [call("final_result", {"elements": [1]})]
    memory = Memory()
    agent = Agent(name="a", model=Script(*turns).model, memory=memory)
    run_agent(agent, build_input("Which?", output_schema=schema))
    answer = asyncio.run(memory.list_messages(MessageQuery(thread="t1"))).items[1]
    assert answer.parts == (TextPart(text='{"elements": [1]}'),)
    assert answer.metadata == {"structuredOutput": [1]}


def test_failed_call_is_stored_as_failed():
    @tool
    def look() -> str:
        """Look."""
        raise LookupError("too dark")

    memory = Memory()
    agent = Agent(
        name="a", model=Script([call("look")], ["No."]).model, memory=memory, tools=[look]
    )
    run_agent(agent, build_input("What?"))
    answer = asyncio.run(memory.list_messages(MessageQuery(thread="t1"))).items[1]
    assert ToolResultPart(id="c1", name="look", result="too dark", failed=True) in answer.parts


def test_typed_notes_replace_the_text_of_a_template(storage, run):
    @dataclasses.dataclass
    class Profile:
        name: str = ""

    text = Memory(storage=storage, working_memory=True)
    run(text.create_thread(resource="ann", id="t1"))
    run(text.update_working_memory("t1", "ann", "- name: Ann"))
    typed = Memory(storage=storage, working_memory=Profile)
    script = Script([call("update_working_memory", {"memory": {"name": "Ann"}})], ["Noted."])
    agent = Agent(name="a", model=script.model, memory=typed)
    output = run(agent.generate(build_input("hi")))
    assert not output.tool_results[0].failed
    assert run(typed.get_working_memory("t1", "ann")) == '{"name":"Ann"}'
