"""Test that the end of a server closes everything, also after a failure."""

import asyncio

import httpx
import pytest

from mastra_core import Mastra, create_logger
from mastra_core.logs import LogTransport
from mastra_core.storage.in_memory import MemoryStorage
from mastra_server import create_app


class Closed(LogTransport):
    """Remembers whether it was closed, and what it got before."""

    def __init__(self):
        super().__init__()
        self.lines, self.is_closed = [], False

    def write(self, lines):
        self.lines.extend(lines)

    def close(self):
        self.is_closed = True


class FailingStorage(MemoryStorage):
    async def close(self):
        raise RuntimeError("the disk is gone")


class Engine:
    """The engine of an application, which fails at its end."""

    def __init__(self, engine):
        self._engine = engine
        self.closed = 0

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def close(self):
        self.closed += 1
        await self._engine.close()
        raise RuntimeError("the engine is gone")


def run_server(mastra):
    async def run():
        app = create_app(mastra)
        async with app.lifespan():
            assert not app.state.draining
        return app

    return asyncio.run(run())


def test_each_part_is_closed_although_another_one_fails():
    transport = Closed()
    logger = create_logger("closing", stream=False, transports={"closed": transport})
    mastra = Mastra(logger=logger, storage=FailingStorage())
    mastra.engine = engine = Engine(mastra.engine)
    with pytest.raises((RuntimeError, ExceptionGroup)):
        run_server(mastra)
    assert engine.closed == 1
    assert transport.is_closed


def test_a_server_that_ends_without_a_failure():
    transport = Closed()
    logger = create_logger("closing", stream=False, transports={"closed": transport})
    app = run_server(Mastra(logger=logger))
    assert app.state.draining
    assert transport.is_closed


def test_an_application_may_be_served_again():
    app = create_app(Mastra(logger=False))

    async def get_status():
        transport = httpx.ASGITransport(app=app)
        async with app.lifespan(), httpx.AsyncClient(transport=transport) as client:
            return (await client.get("http://app.example/ready")).status_code

    assert [asyncio.run(get_status()) for _ in range(2)] == [200, 200]
