"""Test deadlines of requests, by a timer that all share and by a timer for each request."""

import asyncio

import pytest

from mastra_core.request_scope import disable_request_scope, enable_request_scope
from mastra_server.middleware.deadlines import Deadlines
from mastra_server.middleware.limits import TimeLimit


@pytest.fixture(params=["shared", "scoped"], autouse=True)
def mode(request):
    """Run each test with one timer for all requests, and with a timer for each request."""
    if request.param == "scoped":
        enable_request_scope(asyncio.ensure_future)
    yield request.param
    disable_request_scope()


TIMEOUT = 0.1  # seconds


class Answers:
    """What came of requests by path; the application sleeps as long as the path says."""

    def __init__(self, seconds=TIMEOUT):
        self.limit = TimeLimit(self.sleep, seconds)
        self.began = {}

    async def sleep(self, scope, receive, send):
        await asyncio.sleep(float(scope["path"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(scope.get("more", 0))
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, path, **more):
        """Send a request; return the statuses and the number of complete responses."""
        statuses, bodies = [], []

        async def send(message):
            statuses.extend([message["status"]] if "status" in message else [])
            bodies.extend([message] if message["type"] == "http.response.body" else [])

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], **more}
        await self.limit(scope, None, send)
        return statuses, len(bodies)


def test_each_request_has_its_own_deadline(mode):
    async def main():
        answers = Answers()
        ends = []
        loop = asyncio.get_running_loop()

        async def ask_and_note():
            begun = loop.time()
            response = await answers.ask("9")
            ends.append((response, loop.time() - begun >= TIMEOUT - 0.001))

        first = asyncio.create_task(ask_and_note())
        await asyncio.sleep(TIMEOUT / 2)
        second = asyncio.create_task(ask_and_note())
        assert [await answers.ask("0") for _ in range(100)] == [([200], 1)] * 100
        await asyncio.gather(first, second)
        assert ends == [(([504], 1), True)] * 2, "a request got the deadline of another one"
        assert await answers.ask("9") == ([504], 1), "the timer is not set again"
        if mode == "shared":
            assert answers.limit._deadlines._pending == {}

    asyncio.run(main())


def test_a_begun_response_is_not_cut_off():
    async def main():
        assert await Answers().ask("0", more=3 * TIMEOUT) == ([200], 1)

    asyncio.run(main())


def test_other_cancellations_propagate():
    async def main():
        asking = asyncio.create_task(Answers().ask("9"))
        await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())


def test_a_swallowed_cancellation_is_withdrawn():
    async def stubborn(scope, receive, send):
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await send({"type": "http.response.start", "status": 503, "headers": []})

    async def main():
        answers = Answers()
        answers.limit = TimeLimit(stubborn, 0.05)
        assert (await answers.ask("0"))[0] == [503]
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(main())


def test_serve_an_application_twice():
    deadlines = Deadlines(0.05)

    async def main():
        deadline = deadlines.start()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(5)
        assert deadline.withdraw()

    asyncio.run(main())
    asyncio.run(main())
