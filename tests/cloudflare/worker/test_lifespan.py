"""The startup of an app, which is awaited once, and leaves no task behind."""

import asyncio
import contextlib

import pytest

from mastra_deployer_cloudflare.worker.lifespan import Lifespan, StartError


async def complete(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    await asyncio.sleep(0.001)
    scope["state"]["opened"] = True
    await send({"type": "lifespan.startup.complete"})
    try:
        await receive()
        scope["state"]["ended"] = True
    finally:
        scope["state"]["closed"] = True


async def report_failure(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    raise RuntimeError("no database")


async def fail(scope, receive, send):
    await receive()
    raise RuntimeError("broken")


async def refuse(scope, receive, send):
    raise ValueError("only http")


async def ignore(scope, receive, send):
    return


async def start(app, strict=False):
    state = {}
    lifespan = Lifespan(app, state, strict=strict)
    await lifespan
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others, "a task would end with the request that started it"
    return lifespan, dict(state)


def test_the_lifespan_stays_open_without_a_task():
    _, state = asyncio.run(start(complete))
    assert state == {"opened": True}


@pytest.mark.parametrize("app", [refuse, ignore])
def test_an_app_without_a_lifespan_starts(app):
    assert asyncio.run(start(app))[1] == {}


def test_an_app_that_must_have_a_lifespan_does_not_start_without_it():
    with pytest.raises(ValueError, match="only http"):
        asyncio.run(start(refuse, strict=True))


@pytest.mark.parametrize("strict", [False, True])
def test_a_failed_start_is_an_error(strict):
    with pytest.raises(StartError, match="no database"):
        asyncio.run(start(report_failure, strict))
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(start(fail, strict))


def test_a_cancelled_start_cancels_the_app():
    closed = []

    async def wait(scope, receive, send):
        await receive()
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(1)

    async def main():
        async def begin():
            await Lifespan(wait, {}, strict=True)

        task = asyncio.ensure_future(begin())
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed == [1]
