"""Steps that never wait: other tasks run between batches of them, however the steps are nested."""

import asyncio
import functools

import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.tasks import TurnLimit

NUMBER = 20 * BATCH_SIZE


def create_workflows(count):
    """Return workflows that call ``count`` in each of about ``NUMBER`` steps."""

    @step
    async def add_one(n: int) -> int:
        count()
        return n + 1

    def name_step(name):
        return step(id=name)(add_one.function)

    chain = functools.reduce(
        Workflow.then, (name_step(f"s{index}") for index in range(100)), Workflow("chain")
    )
    items = Workflow("items", input=list[int])
    return {
        "serial": items.foreach(add_one),
        "concurrent": items.foreach(add_one, concurrency=NUMBER),
        "few-workers": items.foreach(add_one, concurrency=50),
        "chains": items.foreach(chain, concurrency=NUMBER),
        "parallel": Workflow("parallel", input=list[int]).parallel(
            *(
                Workflow(f"part{index}", input=list[int]).foreach(add_one, concurrency=50)
                for index in range(20)
            )
        ),
    }


@pytest.mark.parametrize("kind", [*create_workflows(None)])
def test_other_tasks_run_between_batches(kind):
    begun, per_turn = 0, []

    def count():
        nonlocal begun
        begun += 1

    async def watch_turns():
        nonlocal begun
        while True:
            per_turn.append(begun)
            begun = 0
            await asyncio.sleep(0)

    async def work():
        watching = asyncio.create_task(watch_turns())
        engine, workflow = MemoryEngine(), create_workflows(count)[kind]
        run = await engine.create(workflow)
        number = NUMBER // 100 if kind == "chains" else NUMBER
        await engine.start(run, [0] * number)
        record = await run.wait()
        watching.cancel()
        await engine.close()
        return record

    record = asyncio.run(work())
    assert record.status == "success", record.error
    assert sum(per_turn) >= NUMBER
    assert max(per_turn) <= 2 * BATCH_SIZE  # the released parts of a batch, and the next steps


def test_other_tasks_run_while_a_step_writes():
    turns = []

    @step
    async def write(context: StepContext) -> None:
        for _ in range(NUMBER):
            await context.write("x")

    async def watch_turns():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def work():
        watching = asyncio.create_task(watch_turns())
        engine = MemoryEngine()
        run = await engine.create(Workflow("writes").then(write))
        await engine.start(run, None)
        record = await run.wait()
        watching.cancel()
        await engine.close()
        return record

    assert asyncio.run(work()).status == "success"
    assert len(turns) >= NUMBER // BATCH_SIZE


def test_parts_begin_in_order_and_canceled_parts_begin_nothing():
    async def work():
        limit, begun = TurnLimit(), []

        async def begin(index):
            if not limit.try_begin():
                await limit.begin_later()
            begun.append(index)

        tasks = [asyncio.create_task(begin(index)) for index in range(3 * BATCH_SIZE)]
        await asyncio.sleep(0)
        assert begun == [*range(BATCH_SIZE)]
        for task in tasks[BATCH_SIZE : 2 * BATCH_SIZE]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return begun

    expected = [*range(BATCH_SIZE), *range(2 * BATCH_SIZE, 3 * BATCH_SIZE)]
    assert asyncio.run(work()) == expected
