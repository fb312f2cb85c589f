"""The request context of a durable run, as the next process finds it."""

import asyncio

from mastra_core import Secret, StepContext, Workflow, step
from tests.core.workflows.durable.test_interleavings import open_engines


@step(resume=dict)
def show_context(_: int, context: StepContext) -> dict:
    if context.resume_data is None:
        context.suspend()
    return dict(context.request_context)


WORKFLOW = Workflow("w", int).then(show_context)


def resume_in_another_process(database_url, context, **options):
    """Return the context that a step has after a resume without a context."""

    async def run_scenario():
        async with open_engines(database_url, "one", workflows=[WORKFLOW], **options) as (engine,):
            run = await engine.create(WORKFLOW, "r")
            await engine.start(run, 1, context)
            await run.wait()
        async with open_engines(database_url, "two", workflows=[WORKFLOW], **options) as (engine,):
            run = await engine.get(WORKFLOW, "r")
            await engine.resume(run, {"go": True})
            return (await asyncio.wait_for(run.wait(), 10)).result

    return asyncio.run(run_scenario())


def test_only_values_that_json_contains_are_stored(database_url):
    endless = []
    endless.append(endless)
    context = {"user": "ann", "key": Secret("s3cret"), "client": object(), "endless": endless}
    assert resume_in_another_process(database_url, context) == {"user": "ann"}


def test_only_selected_keys_are_stored(database_url):
    context = {"user": "ann", "token": "s3cret"}
    stored = resume_in_another_process(database_url, context, context_keys=["user", "missing"])
    assert stored == {"user": "ann"}


def test_new_context_replaces_that_of_running_steps(database_url):
    """A step that runs while another step is resumed sees the context of the resume."""

    async def run_scenario():
        resumed = asyncio.Event()

        @step
        async def wait_for_resume(_: int, context: StepContext) -> dict:
            await resumed.wait()
            return dict(context.request_context)

        workflow = Workflow("both", int).parallel(show_context, wait_for_resume)
        async with open_engines(database_url, "one", workflows=[workflow]) as (engine,):
            run = await engine.create(workflow)
            await engine.start(run, 1, {"user": "ann", "old": True})
            async with asyncio.timeout(10):
                async for _ in run.iter_events():
                    if run.record.suspended_steps:
                        break
            await engine.resume(run, {"go": True}, "show_context", {"user": "bob"})
            resumed.set()
            return (await asyncio.wait_for(run.wait(), 10)).result

    result = asyncio.run(run_scenario())
    assert result == {"show_context": {"user": "bob"}, "wait_for_resume": {"user": "bob"}}
