"""Which runs another description of their workflow can continue."""

import asyncio

import msgspec
import pytest

from mastra_core import StepContext, Workflow, as_step, step
from mastra_core.errors import Conflict, NotFound
from mastra_core.workflows.durable import DurableEngine, SqliteRunStore
from mastra_core.workflows.durable.fingerprints.journal_fit import check_fit
from mastra_core.workflows.durable.fingerprints.run_mover import RunMover
from mastra_core.workflows.model.description import describe_workflow
from tests.core.workflows.sample_steps import add_one, ask_too, double

third = as_step(double, id="third")
last = as_step(add_one, id="last")
first = as_step(ask_too, id="first")
second = as_step(ask_too, id="second")


def is_positive(n: int) -> bool:
    return n > 0


def is_large(n: int) -> bool:
    return n > 100


@step(resume=int)
async def ask_again(n: int, context: StepContext) -> int:
    return n if context.resume_data else context.suspend()


def add(values: dict) -> int:
    return sum(values.values())


def build(*steps, **options):
    workflow = Workflow("w", int, **options)
    for each in steps:
        workflow = each(workflow) if not hasattr(each, "id") else workflow.then(each)
    return workflow


INNER = Workflow("inner", int).then(add_one).then(ask_too)
ENDED = Workflow("inner", int).then(add_one)
OLD = build(add_one, ask_too)


def group(*steps):
    return lambda workflow: workflow.parallel(*steps).map(add, id="add")


def each_item(inner):
    return lambda workflow: workflow.map(lambda n: [n, n], id="list").foreach(inner, concurrency=2)


def choose(*steps):
    return lambda workflow: workflow.branch(*((is_positive, each) for each in steps)).map(
        add, id="add"
    )


def loop(body):
    return lambda workflow: workflow.dountil(body, is_large)


FITTING = {
    "a step follows": (OLD, build(add_one, ask_too, double), [7], 14),
    "the version differs": (OLD, build(add_one, ask_too, version="2"), [7], 7),
    "what follows is gone": (build(add_one, ask_too, double), OLD, [7], 7),
    "what follows is replaced": (
        build(add_one, ask_too, double),
        build(add_one, ask_too, last),
        [7],
        8,
    ),
    "a step of the last group is new": (
        build(group(first, second)),
        build(group(first, second, third)),
        [7, 8],
        17,
    ),
    "a branch of the last node is new": (
        build(choose(first)),
        build(choose(first, third)),
        [7],
        9,
    ),
    "a nested workflow goes on": (build(INNER), build(INNER.then(double)), [7], 14),
    "items of a foreach go on": (
        build(each_item(INNER)),
        build(each_item(INNER.then(double))),
        [7, 8],
        [14, 16],
    ),
    "a loop is followed": (build(loop(ask_again)), build(loop(ask_again), double), [1], None),
}
REFUSED = {
    "a step comes before": (OLD, build(double, add_one, ask_too), "the step add_one"),
    "a step is between": (OLD, build(add_one, double, ask_too), "the step ask-too"),
    "the suspended step is gone": (OLD, build(add_one, double), "ask-too"),
    "nothing is left": (OLD, build(add_one), "no such node"),
    "the kind of step differs": (
        OLD,
        build(add_one, lambda workflow: workflow.map(lambda n: n, id="ask-too")),
        r"ask-too \(function\).*ask-too \(mapping\)",
    ),
    "the kind of node differs": (OLD, build(add_one, group(ask_too)), "the parallel ask-too"),
    "a step of the group is gone": (
        build(group(first, second)),
        build(group(first)),
        "the parallel first",
    ),
    "an ended group has a new step": (
        build(group(add_one), ask_too),
        build(group(add_one, third), ask_too),
        "the parallel add_one",
    ),
    "an ended nested workflow differs": (
        build(ENDED, ask_too),
        build(ENDED.then(double), ask_too),
        "the step inner",
    ),
    "an ended nested workflow of a group differs": (
        build(group(ENDED, ask_too)),
        build(group(ENDED.then(double), ask_too)),
        "nested workflow 'inner' has ended",
    ),
    "a nested step comes before": (
        build(INNER),
        build(Workflow("inner", int).then(double).then(add_one).then(ask_too)),
        "the step add_one",
    ),
    "the loop ends otherwise": (
        build(loop(ask_again)),
        build(lambda workflow: workflow.dowhile(ask_again, is_large)),
        "the dowhile",
    ),
}


async def suspend_run(url, workflow):
    engine = DurableEngine(url)
    run = await engine.create(workflow, "r")
    await engine.start(run, 1)
    record = await run.wait()
    assert record.status == "suspended", record
    await engine.close()


async def move(path, fingerprint):
    store = SqliteRunStore(path)
    mover = RunMover(store)
    try:
        row = await store.find("w", "r", None)
        await mover.move(row, await mover.select_target("w", fingerprint))
    finally:
        await store.close()


async def resume(url, workflow, answers):
    engine = DurableEngine(url)
    await engine.open([workflow])
    run = await engine.get(workflow, "r")
    for path, answer in zip([*run.record.suspended_steps], answers, strict=True):
        await engine.resume(run, answer, path)
    record = await run.wait()
    await engine.close()
    return record


async def announce(url, workflow):
    engine = DurableEngine(url)
    await engine.open([workflow])
    await engine.close()


@pytest.mark.parametrize("name", FITTING)
def test_run_that_fits_continues(name, tmp_path):
    old, new, answers, result = FITTING[name]
    path = tmp_path / "runs.db"
    url = f"sqlite:///{path}"

    async def run_scenario():
        await suspend_run(url, old)
        await announce(url, new)
        await move(path, new.fingerprint)
        return await resume(url, new, answers)

    record = asyncio.run(run_scenario())
    if result is None:  # the next iteration waits
        assert record.status == "suspended"
    else:
        assert (record.status, record.result) == ("success", result)


@pytest.mark.parametrize("name", REFUSED)
def test_run_that_does_not_fit_stays(name, tmp_path):
    old, new, reason = REFUSED[name]
    path = tmp_path / "runs.db"
    url = f"sqlite:///{path}"

    async def run_scenario():
        await suspend_run(url, old)
        await announce(url, new)
        with pytest.raises(Conflict, match=f"does not fit the other description: .*{reason}"):
            await move(path, new.fingerprint)
        with pytest.raises(NotFound, match="No fingerprint 'f' is stored"):
            await move(path, "f")
        with pytest.raises(Conflict, match=r"has the fingerprint .* already"):
            await move(path, old.fingerprint)

    asyncio.run(run_scenario())


@pytest.mark.parametrize(
    ("new", "fits"),
    [
        (build(add_one, ask_too, double), True),
        (build(double, add_one, ask_too), False),
        (build(add_one, double), False),
    ],
    ids=["a step follows", "a step comes before", "the first step is gone"],
)
def test_run_that_has_to_begin_at_a_step_needs_this_step(new, fits, tmp_path):
    """A time travel has forgotten the outcomes, and no process has executed the run since."""
    path = tmp_path / "runs.db"
    url = f"sqlite:///{path}"

    async def run_scenario():
        await suspend_run(url, OLD)
        caller = DurableEngine(url, max_concurrency=0)
        run = await caller.get(OLD, "r")
        await caller.time_travel(run, "ask-too", 5)
        await caller.close()
        await announce(url, new)
        if fits:
            await move(path, new.fingerprint)
            return
        with pytest.raises(Conflict, match="does not fit the other description"):
            await move(path, new.fingerprint)

    asyncio.run(run_scenario())


def test_journal_of_another_version_of_mastra_does_not_fit():
    description = describe_workflow(OLD)
    check_fit(description, description, ["add_one#1"])
    other = msgspec.structs.replace(description, format=description.format + 1)
    for old, new in ((description, other), (other, description)):
        with pytest.raises(Conflict, match="another version of mastra"):
            check_fit(old, new, [])
