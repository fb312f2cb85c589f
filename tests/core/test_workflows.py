"""Behaviour of workflows on any engine: only the Engine protocol is used."""

import asyncio
import dataclasses
import threading
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.errors import ConfigError, Conflict, InvalidInput, NotFound
from mastra_core.workflows.record import RunStarted, StepEnded, StepSuspended, StepWrote


class Decision(TypedDict):
    go: bool


@dataclasses.dataclass
class Point:
    x: int


class Person(pydantic.BaseModel):
    name: str


@step
async def plus_one(n: int) -> int:
    """Adds one."""
    return n + 1


@step
def double(n: int) -> int:
    return 2 * n


@step
def text_of(groups: dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in groups.items())


@step(resume=Decision, suspend=dict)
def ask(n: int, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"n": n})
    return "yes" if context.resume_data["go"] else "no"


@step(id="ask-too", resume=int)
async def ask_too(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend()
    return context.resume_data


@step
async def broken(n: int) -> int:
    raise LookupError(f"no row {n}")


@step
async def endless(n: int) -> int:
    await asyncio.Event().wait()
    return n


@pytest.fixture
def engine():
    return MemoryEngine()


async def settled(engine, workflow, value=None, **more):
    run = await engine.create(workflow)
    await engine.start(run, value, **more)
    await run.settled()
    return run


def record_of(engine, workflow, value=None, **more):
    return asyncio.run(settled(engine, workflow, value, **more)).record


def test_steps_in_order(engine):
    record = record_of(engine, Workflow("w").then(plus_one).then(double), 3)
    assert (record.status, record.input, record.result) == ("success", 3, 8)
    assert list(record.steps) == ["plus_one", "double"]
    first = record.steps["plus_one"]
    assert (first.status, first.payload, first.output) == ("success", 3, 4)
    assert record.created_at <= first.started_at <= first.ended_at <= record.updated_at
    assert msgspec.json.decode(msgspec.json.encode(record))["result"] == 8


def test_steps_side_by_side_are_under_way_at_once(engine):
    meeting = asyncio.Barrier(2)

    async def left(n: int) -> int:
        await meeting.wait()
        return n

    async def right(n: int) -> int:
        await meeting.wait()
        return -n

    workflow = Workflow("w").parallel(left, right).then(text_of)
    assert record_of(engine, workflow, 3).result == "left=3, right=-3"
    assert Workflow("w").parallel([left, right]).nodes == workflow.nodes[:1]


def test_every_branch_whose_condition_holds(engine):
    async def slow_condition(n: int) -> bool:
        return n > 5

    workflow = Workflow("w").branch(
        (lambda n: n > 0, plus_one), (slow_condition, double), (lambda n: n < 0, ask)
    )
    assert record_of(engine, workflow, 3).result == {"plus_one": 4}
    assert record_of(engine, workflow, 10).result == {"plus_one": 11, "double": 20}
    assert record_of(engine, workflow, 0).result == {}


def test_a_condition_gets_the_type_it_asks_for(engine):
    def far(point: Point) -> bool:
        return point.x > 10

    @step
    def name(point: Point) -> str:
        return f"at {point.x}"

    workflow = Workflow("w").branch((far, name))
    assert record_of(engine, workflow, {"x": 11}).result == {"name": "at 11"}
    assert record_of(engine, workflow, {"x": 1}).result == {}


@pytest.mark.parametrize("value", [{"name": "Ann"}, Person(name="Ann")])
def test_types_of_pydantic(engine, value):
    @step
    def greet(person: Person) -> Person:
        return Person(name=f"hello {person.name}")

    workflow = Workflow("w").then(greet)
    assert workflow.input_schema["properties"]["name"]["type"] == "string"
    assert record_of(engine, workflow, value).result == {"name": "hello Ann"}


def test_a_step_of_nothing_and_of_the_context_alone(engine):
    @step
    def nothing() -> int:
        return 1

    @step
    async def who(context: StepContext) -> str:
        return f"{context.workflow_id} {context.step_id} {context.request_context['user']}"

    record = record_of(
        engine, Workflow("w").then(nothing).then(who), {"any": 1}, context={"user": "ann"}
    )
    assert record.result == "w who ann"
    assert "ann" not in repr(msgspec.structs.replace(record, result=None, steps={}))


def test_a_plain_function_does_not_block_the_loop(engine):
    @step
    def thread() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert record_of(engine, Workflow("w").then(thread)).result is False


def test_suspend_and_resume(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one).then(ask), 1)
        assert run.record.status == "suspended"
        assert run.record.suspended == ["ask"]
        assert run.record.steps["ask"].suspend_payload == {"n": 2}
        await engine.resume(run, {"go": True})
        return await run.settled()

    record = asyncio.run(story())
    assert (record.status, record.result) == ("success", "yes")
    assert record.steps["ask"].resume_payload == {"go": True}
    assert record.steps["plus_one"].output == 2


def test_two_suspended_steps_each_resumed_by_name(engine):
    async def story():
        run = await settled(engine, Workflow("w").parallel(ask, ask_too), 1)
        assert run.record.suspended == ["ask", "ask-too"]
        with pytest.raises(InvalidInput, match="Several steps are suspended"):
            await engine.resume(run, 7)
        await engine.resume(run, 7, step="ask-too")
        record = await run.settled()
        assert (record.status, record.suspended) == ("suspended", ["ask"])
        with pytest.raises(Conflict, match="'ask-too' is not suspended"):
            await engine.resume(run, 7, step="ask-too")
        await engine.resume(run, {"go": False})
        return await run.settled()

    assert asyncio.run(story()).result == {"ask": "no", "ask-too": 7}


def test_a_branch_goes_on_while_another_waits(engine):
    async def story():
        gate = asyncio.Event()

        @step
        async def slow(n: int) -> int:
            await gate.wait()
            return n

        run = await engine.create(Workflow("w").parallel(ask, slow))
        await engine.start(run, 1)
        async for event in run.events():
            if isinstance(event, StepSuspended):
                assert run.record.status == "running"
                gate.set()
        assert (run.record.status, run.record.suspended) == ("suspended", ["ask"])
        await engine.resume(run, {"go": True})
        return await run.settled()

    assert asyncio.run(story()).result == {"ask": "yes", "slow": 1}


def test_resume_data_is_checked_and_may_be_brought_again(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(ask), 1)
        with pytest.raises(InvalidInput, match=r"Invalid resume data: go: Expected `bool`"):
            await engine.resume(run, {"go": "maybe"})
        assert run.record.status == "suspended"
        await engine.resume(run, {"go": True})
        return await run.settled()

    assert asyncio.run(story()).result == "yes"


def test_a_step_may_suspend_again(engine):
    @step(resume=int)
    def three(context: StepContext) -> int:
        if context.resume_data != 3:
            context.suspend({"was": context.resume_data})
        return 3

    async def story():
        run = await settled(engine, Workflow("w").then(three))
        for number in (1, 2, 3):
            await engine.resume(run, number)
            await run.settled()
        return run.record

    record = asyncio.run(story())
    assert (record.status, record.result) == ("success", 3)


def test_except_exception_cannot_swallow_a_suspend(engine):
    @step
    def careful(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    @step
    async def careful_too(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    async def story():
        for item in (careful, careful_too):
            run = await settled(engine, Workflow("w").then(item))
            assert run.record.status == "suspended"
            await engine.resume(run, 1)
            assert (await run.settled()).result == "resumed"

    asyncio.run(story())


@pytest.mark.parametrize("action", ["resume", "start"])
def test_what_the_state_does_not_allow(engine, action):
    async def story():
        run = await engine.create(Workflow("w").then(plus_one))
        if action == "resume":
            with pytest.raises(Conflict, match="not suspended"):
                await engine.resume(run, 1)
            return
        await engine.start(run, 1)
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        await run.settled()
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        assert run.record.result == 2

    asyncio.run(story())


def test_input_that_does_not_fit(engine):
    async def story():
        workflow = Workflow("w").then(plus_one)
        run = await engine.create(workflow, "r1")
        with pytest.raises(InvalidInput, match="Invalid input data: root: Expected `int`"):
            await engine.start(run, "x")
        with pytest.raises(NotFound):
            await engine.get(workflow, "r1")
        assert await engine.list(workflow) == []

    asyncio.run(story())


def test_the_input_type_of_a_workflow_comes_first(engine):
    @step
    def free(value: Any) -> Any:
        return value

    workflow = Workflow("w", input=Point, output=Point).then(free)
    assert workflow.input_schema["properties"]["x"]["type"] == "integer"
    assert workflow.output_schema == workflow.input_schema
    with pytest.raises(InvalidInput, match="x: Expected `int`"):
        record_of(engine, workflow, {"x": "1"})


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").then(broken),
        Workflow("w").parallel(broken, endless),
        Workflow("w").parallel(broken, ask),
        Workflow("w").parallel(broken, step(id="broken2")(broken.function)),
        Workflow("w").branch((lambda n: True, broken), (lambda n: True, endless)),
    ],
)
def test_a_failing_step_ends_the_run(engine, workflow):
    record = record_of(engine, workflow, 3)
    assert record.status == "failed"
    assert (record.error.message, record.error.name) == ("no row 3", "LookupError")
    assert record.steps["broken"].status == "failed"
    assert record.steps["broken"].error == record.error
    assert {item.status for item in record.steps.values()} <= {"failed", "canceled"}
    assert "Traceback" not in str(msgspec.to_builtins(record))


def test_a_condition_that_fails(engine):
    workflow = Workflow("w").branch((lambda n: n / 0, plus_one))
    record = record_of(engine, workflow, 3)
    assert (record.status, record.error.name) == ("failed", "ZeroDivisionError")


def test_output_of_the_wrong_type_fails_the_next_step(engine):
    @step
    def text(n: int) -> int:
        return "three"

    record = record_of(engine, Workflow("w").then(text).then(plus_one), 3)
    assert (record.status, record.error.name) == ("failed", "InvalidInput")


@pytest.mark.parametrize("item", [endless, ask])
def test_cancel(engine, item):
    async def story():
        run = await engine.create(Workflow("w").then(item))
        await engine.start(run, 1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert item.id in run.record.steps
        await engine.cancel(run)
        await engine.cancel(run)
        record = await run.settled()
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await engine.resume(run, {"go": True})
        return record

    record = asyncio.run(story())
    assert record.status == "canceled"
    assert record.steps[item.id].status == "canceled"


def test_cancel_leaves_a_finished_run_alone(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one), 1)
        await engine.cancel(run)
        return run.record

    assert asyncio.run(story()).status == "success"


def test_a_step_cancelled_from_within_does_not_run_for_ever(engine):
    @step
    async def gives_up() -> None:
        raise asyncio.CancelledError

    assert record_of(engine, Workflow("w").then(gives_up)).status == "canceled"


def test_events_from_an_offset(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one).then(ask), 1)
        everything = [event async for event in run.events()]
        assert isinstance(everything[0], RunStarted)
        assert [event async for event in run.events(2)] == everything[2:]
        assert run.position == len(everything)
        await engine.resume(run, {"go": True})
        rest = [event async for event in run.events(run.position - 1)]
        assert [type(event).__name__ for event in rest] == [
            "StepResumed",
            "StepEnded",
            "RunFinished",
        ]
        assert [event async for event in run.events(run.position)] == []
        assert [event async for event in run.events()] == [*everything, *rest]

    asyncio.run(story())


def test_every_watcher_sees_what_a_step_writes(engine):
    @step
    async def writes(n: int, context: StepContext) -> int:
        for chunk in range(n):
            await context.write({"chunk": chunk})
        return n

    async def chunks(run):
        return [e.chunk["chunk"] async for e in run.events() if isinstance(e, StepWrote)]

    async def story():
        run = await engine.create(Workflow("w").then(writes))
        watchers = [asyncio.create_task(chunks(run)) for _ in range(3)]
        await asyncio.sleep(0)
        await engine.start(run, 4)
        return await asyncio.gather(*watchers)

    assert asyncio.run(story()) == [[0, 1, 2, 3]] * 3


def test_runs_are_found_again(engine):
    async def story():
        one, two = Workflow("one").then(plus_one), Workflow("two").then(plus_one)
        run = await engine.create(one, "r1", "ann")
        assert await engine.create(one, "r1") is run
        assert await engine.get(one, "r1") is run
        with pytest.raises(NotFound):
            await engine.get(two, "r1")
        other = await engine.create(two, "r1")
        await engine.start(other, 5)
        await engine.start(run, 1)
        assert [(await each.settled()).result for each in (run, other)] == [2, 6]
        assert (await engine.get(one, "r1")).record.result == 2
        assert (await engine.get(two, "r1")).record.result == 6
        assert [record.run_id for record in await engine.list(one)] == ["r1"]
        assert run.record.resource_id == "ann"
        await engine.delete(run)
        assert await engine.list(one) == []
        assert len(await engine.list(two)) == 1

    asyncio.run(story())


def test_closing_cancels_what_runs(engine):
    async def story():
        run = await engine.create(Workflow("w").then(endless))
        await engine.start(run, 1)
        await asyncio.sleep(0)
        await engine.close()
        return await run.settled()

    assert asyncio.run(story()).status == "canceled"


def test_a_beginning_may_be_shared(engine):
    beginning = Workflow("w").then(plus_one)
    assert record_of(engine, beginning.then(double), 1).result == 4
    assert record_of(engine, beginning, 1).result == 2
    assert [item.id for item in beginning.then(double).steps()] == ["plus_one", "double"]
    assert beginning.step("plus_one") is plus_one
    with pytest.raises(KeyError):
        beginning.step("nothing")


def two_inputs(a: int, b: int): ...


def untyped(a): ...


@pytest.mark.parametrize(
    "make",
    [
        lambda: Workflow("w").then(3),
        lambda: Workflow("w").parallel(),
        lambda: Workflow("w").branch(),
        lambda: Workflow("w").branch(plus_one),
        lambda: Workflow("w").branch([plus_one, double, ask]),
        lambda: Workflow("w").then(plus_one).then(plus_one),
        lambda: Workflow("w").parallel(plus_one, plus_one),
        lambda: step(two_inputs),
        lambda: step(untyped),
        lambda: step(resume=threading.Lock)(plus_one.function),
    ],
)
def test_a_mistake_in_the_description(make):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint


def test_a_failed_step_ends_with_its_error(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(broken), 3)
        return [event async for event in run.events() if isinstance(event, StepEnded)]

    (ended,) = asyncio.run(story())
    assert ended.error.message == "no row 3"
