"""The engines; every test of behaviour runs on each of them."""

import asyncio
import itertools

import pytest

from mastra_core import MemoryEngine
from mastra_core.request_scope import disable_request_scope, enable_request_scope
from mastra_core.workflows.durable import DurableEngine

ENGINES = ["memory", pytest.param("request-scoped", marks=pytest.mark.full), "sqlite"]


@pytest.fixture(params=ENGINES)
def make_engine(request, tmp_path):
    """A function that creates an engine; each durable engine has a database of its own."""
    engines, numbers = [], itertools.count()

    def make_durable():
        engines.append(DurableEngine(f"sqlite:///{tmp_path}/runs-{next(numbers)}.db"))
        return engines[-1]

    if request.param == "request-scoped":  # requests own their tasks, and suspended runs are parked
        enable_request_scope(asyncio.ensure_future)
    yield make_durable if request.param == "sqlite" else MemoryEngine
    disable_request_scope()
    for engine in engines:
        asyncio.run(engine.close())


@pytest.fixture
def engine(make_engine):
    return make_engine()
