"""Requests that arrive together wait for one start, and a start that is dropped blocks nobody."""

import asyncio
import gc
import sys
import types

import pytest

from mastra_deployer_cloudflare.worker import isolate_app
from mastra_deployer_cloudflare.worker.isolate_app import IsolateApp
from mastra_deployer_cloudflare.worker.lifespan import StartError
from mastra_deployer_cloudflare.worker.options import Options


class App:
    """Fails so many starts, and counts them."""

    def __init__(self, failures=0):
        self.starts, self.failures, self.is_ended = 0, failures, False

    async def __call__(self, scope, receive, send):
        await receive()
        self.starts += 1
        number = self.starts
        await asyncio.sleep(0.02)
        if number <= self.failures:
            raise RuntimeError("not yet")
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        finally:
            self.is_ended = True


@pytest.fixture
def create(monkeypatch):
    def create_isolate(app, **options):
        monkeypatch.setitem(sys.modules, "app_of_test", types.SimpleNamespace(app=app))
        defaults = {
            "app": "app_of_test:app", "kind": "asgi", "paths": (), "required": (),
            "variables": (), "body_limit": 1, "build_app": "request", "preload": True,
        }  # fmt: skip
        return IsolateApp(Options(**{**defaults, **options}))

    return create_isolate


def ignore(task):
    pass


async def start_many(isolate, count=8):
    starts = (isolate.start(ignore) for _ in range(count))
    return await asyncio.gather(*starts, return_exceptions=True)


def test_concurrent_requests_wait_for_one_start(create):
    app = App()
    isolate = create(app)
    assert asyncio.run(start_many(isolate)) == [app] * 8
    assert app.starts == 1


def test_a_collection_of_garbage_does_not_end_the_app(create):
    app = App()
    isolate = create(app)
    asyncio.run(start_many(isolate))
    gc.collect()
    assert not app.is_ended


def test_a_failed_start_fails_all_that_waited_for_it_and_is_repeated(create, capsys):
    app = App(failures=2)
    isolate = create(app)
    for number in (1, 2):
        assert all(isinstance(item, StartError) for item in asyncio.run(start_many(isolate)))
        assert app.starts == number
    assert asyncio.run(start_many(isolate)) == [app] * 8
    log = capsys.readouterr().err
    assert log.count("RuntimeError: not yet") == 1
    assert "still cannot start, for the same reason" in log


def test_a_start_whose_request_was_dropped_blocks_nobody(create, monkeypatch):
    monkeypatch.setattr(isolate_app, "_ABANDONED", 0.05)
    app = App()
    isolate = create(app)

    async def main():
        first = asyncio.ensure_future(isolate.start(ignore))
        await asyncio.sleep(0.005)
        isolate._began -= 1  # as if the platform had ended the request a second ago
        second = await isolate.start(ignore)
        await first
        return second

    assert asyncio.run(main()) is app


def test_a_late_failure_of_an_abandoned_start_leaves_the_next_start_alone(create, monkeypatch):
    monkeypatch.setattr(isolate_app, "_ABANDONED", 0.05)
    app = App(failures=1)
    isolate = create(app)

    async def main():
        first = asyncio.ensure_future(isolate.start(ignore))
        await asyncio.sleep(0.01)
        isolate._began -= 1  # as if the platform had ended the request a second ago
        second = asyncio.ensure_future(isolate.start(ignore))
        await asyncio.sleep(0.015)  # the first start has failed, and the second one is running
        third = asyncio.ensure_future(isolate.start(ignore))
        return await asyncio.gather(first, second, third, return_exceptions=True)

    failed, *started = asyncio.run(main())
    assert isinstance(failed, StartError)
    assert started == [app, app]
    assert app.starts == 2


def test_a_missing_variable_is_named_in_the_log(create, capsys):
    isolate = create(App(), required=("NOWHERE_SET",))
    with pytest.raises(StartError):
        asyncio.run(isolate.start(ignore))
    assert "Required environment variables are not set: NOWHERE_SET." in capsys.readouterr().err
