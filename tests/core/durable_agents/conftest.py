"""An application on a database that outlives it."""

import asyncio
import contextlib

import pytest

from mastra_core import DurableEngine, Mastra


@pytest.fixture
def open_mastra(tmp_path):
    """Open an application on the same database again and again."""

    @contextlib.asynccontextmanager
    async def open_application(*agents, workflows=(), **settings):
        mastra = Mastra(
            agents={agent.name: agent for agent in agents},
            workflows={workflow.id: workflow for workflow in workflows},
            engine=DurableEngine(f"sqlite:///{tmp_path}/app.db", lease=1),
            logger=False,
            **settings,
        )
        await mastra.engine.open((*mastra.workflows.values(), *mastra.agent_workflows))
        try:
            yield mastra
        finally:
            await mastra.engine.close()
            await mastra.storage.close()

    return open_application


async def read_all(events):
    return [event async for event in events]


async def wait_until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # a tool has no event for this
            await asyncio.sleep(0.01)
