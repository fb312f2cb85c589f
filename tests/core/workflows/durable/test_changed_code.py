"""A run continues in a process whose code has changed since the run started."""

import asyncio
import contextlib
import dataclasses
import sqlite3

import pytest

from mastra_core import Agent, DurableEngine, StepContext, Workflow, as_child, step, tool
from mastra_core.agents import as_agent
from mastra_core.schema import dump
from mastra_core.workflows import Retry, as_step
from tests.core.scripted_model import Script, call
from tests.core.workflows.sample_steps import add_one, ask_too

RETRY = Retry(count=1)
SQLITE = "sqlite:///"


def is_settled(record):
    return record.is_settled


def has_failed_step(record):
    return any(each.status in ("failed", "waiting") for each in record.steps.values())


@pytest.fixture
def url(tmp_path):
    return f"{SQLITE}{tmp_path}/runs.db"


@pytest.fixture
def restart_run(url):
    """A function that restarts the failed run with another version."""

    async def restart(workflow):
        engine = DurableEngine(url)
        run = await engine.get(workflow, "r1")
        await engine.restart(run)
        record = await asyncio.wait_for(run.wait(), 10)
        await engine.close()
        return record

    return lambda workflow: asyncio.run(restart(workflow))


@pytest.fixture
def continue_run(url):
    """A function that begins a run of one version, and continues the run with another version."""

    async def begin(workflow, value, is_resting):
        engine = DurableEngine(url, release_after=0)
        run = await engine.create(workflow, "r1")
        await engine.start(run, value)
        async with asyncio.timeout(10):
            while not is_resting(run.record):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)
        await engine.close()

    async def finish(workflow, data):
        engine = DurableEngine(url, release_after=0)
        await engine.open([workflow])
        run = await engine.get(workflow, "r1")
        if data is not None:
            await engine.resume(run, data)
        record = await asyncio.wait_for(run.wait(), 10)
        await engine.close()
        return record

    def run_versions(old, new, value=1, data=None, is_resting=is_settled, between=int):
        assert old.fingerprint == new.fingerprint
        asyncio.run(begin(old, value, is_resting))
        between()
        return asyncio.run(finish(new, data))

    return run_versions


def build_flaky_step():
    """Return a step whose first call fails."""
    calls = []

    @step(id="flaky")
    async def flaky(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            raise ValueError("down")
        return number + 1

    return flaky


def use_step(flaky, retry):
    return as_step(flaky, retry=retry)


def use_nested(flaky, retry):
    return as_step(Workflow("inner").then(flaky), retry=retry)


def use_child(flaky, retry):
    return as_step(as_child(Workflow("inner").then(flaky)), retry=retry)


@pytest.mark.parametrize("use", [use_step, use_nested, use_child])
@pytest.mark.parametrize("retry", [None, 0])
def test_repeated_step_without_its_retry(continue_run, use, retry):
    """The step has succeeded after a retry, so its success counts in a version without retries."""
    old = Workflow("w").then(use(build_flaky_step(), RETRY)).then(ask_too)
    new = Workflow("w").then(use(build_flaky_step(), retry)).then(ask_too)
    record = continue_run(old, new, data=7)
    assert (record.status, record.error, record.result) == ("success", None, 7)


@pytest.mark.parametrize("use", [use_step, use_nested])
def test_waiting_step_without_its_retry(continue_run, use):
    """A version without retries fails the step with the error of the step."""
    old = Workflow("w").then(use(build_flaky_step(), Retry(count=1, delay=60)))
    new = Workflow("w").then(use(build_flaky_step(), None))
    record = continue_run(old, new, is_resting=has_failed_step)
    assert (record.status, record.error.name, record.error.message) == (
        "failed",
        "ValueError",
        "down",
    )


@dataclasses.dataclass
class Order:
    item: str


@dataclasses.dataclass
class NewOrder:
    article: str


@dataclasses.dataclass
class RepairedOrder:
    item: str
    article: str = ""


@step(id="take")
async def take(item: str, context: StepContext) -> Order:
    context.set_state(item=item)
    return Order(item)


@step(id="hold")
async def hold(order: dict, context: StepContext) -> dict:
    if context.resume_data is None:
        context.suspend()
    return order


def build_order(type_, **options):
    @step(id="ship")
    async def ship(order: type_) -> dict:
        return dump(order)

    return Workflow("w", **options).then(take).then(hold).then(ship)


def build_state_reader(type_):
    @step(id="read")
    async def read(order: dict, context: StepContext) -> dict:
        return dump(context.state)

    return Workflow("w", state=type_).then(take).then(hold).then(read)


MISSING = "root: Object missing required field `article`"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (build_order(Order), build_order(NewOrder), "input of step 'ship'"),
        (build_order(dict), build_order(dict, output=NewOrder), "result of workflow 'w'"),
        (build_state_reader(None), build_state_reader(NewOrder), "state"),
    ],
)
def test_stored_data_of_an_earlier_type(continue_run, old, new, message):
    record = continue_run(old, new, "book", data=True)
    assert (record.status, record.error.name) == ("failed", "InvalidInput")
    assert record.error.message == f"Invalid {message}: {MISSING}"


def test_ended_nested_workflow_with_another_result_type(continue_run):
    """As for the output of a function, only the type of the next input counts."""

    def build(type_):
        inner = Workflow("inner", output=type_).then(take)
        return Workflow("w").then(inner).then(hold)

    record = continue_run(build(Order), build(NewOrder), "book", data=True)
    assert (record.status, record.result) == ("success", {"item": "book"})


def test_restart_with_a_type_that_accepts_the_stored_data(continue_run, restart_run):
    assert continue_run(build_order(Order), build_order(NewOrder), "book", True).error
    record = restart_run(build_order(RepairedOrder))
    assert record.result == {"item": "book", "article": ""}


def test_agent_of_another_framework(continue_run, restart_run):
    """The new agent cannot read the history; the decision waits for the earlier agent."""
    paid = []

    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        paid.append(amount)
        return "paid"

    async def clerk(text: str) -> str:
        return f"You said {text}."

    def build_agent(*turns):
        agent = Agent(name="clerk", model=Script(*turns).model, tools=[pay])
        return Workflow("w").then(agent)

    old, new = build_agent([call("pay", {"amount": 3})]), Workflow("w").then(as_agent(clerk))
    record = continue_run(old, new, "pay", {"c1": {"approved": True}})
    assert (record.status, record.error.name) == ("failed", "Conflict")
    assert record.error.message == (
        "The run 'r1-clerk' has a history in the format of pydantic-ai, which the agent 'clerk' of "
        "this version of the app cannot read."
    )
    assert restart_run(build_agent(["Done."])).result == {"text": "Done."}
    assert paid == [3]


def test_time_travel_of_an_earlier_description(url):
    """The run continues with the present workflow, which may have other steps."""
    old = Workflow("w").then(ask_too)
    new = Workflow("w", previous=[old]).then(ask_too).then(add_one)

    async def run_scenario():
        engine = DurableEngine(url)
        run = await engine.create(old, "r1")
        await engine.start(run, 1)
        await run.wait()
        await engine.close()
        engine = DurableEngine(url)
        run = await engine.get(new, "r1")
        await engine.time_travel(run, "add_one", 7)
        record = await asyncio.wait_for(run.wait(), 10)
        await engine.close()
        return record

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", 8)


def test_outcome_of_a_newer_version(continue_run, url):
    """A process that cannot read the journal fails the run, with the cure in its log."""

    def damage(path):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("""UPDATE mastra_run_outcomes SET data = '{"kind":"dreamt"}'""")
            connection.commit()

    workflow = Workflow("w").then(ask_too)
    record = continue_run(workflow, workflow, data=7, between=lambda: damage(url[len(SQLITE) :]))
    assert (record.status, record.error.message) == (
        "failed",
        "An outcome of the run 'r1' cannot be read: Invalid enum value 'dreamt' - at `$.kind`.",
    )
