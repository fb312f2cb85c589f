"""The engines; every test of behaviour runs on each of them."""

import asyncio

import pytest

from mastra_core import MemoryEngine
from mastra_core.request_scope import disable_request_scope, enable_request_scope

ENGINES = {"memory": MemoryEngine, "request-scoped": MemoryEngine}


@pytest.fixture(params=["memory", pytest.param("request-scoped", marks=pytest.mark.full)])
def make_engine(request):
    """The class of an engine; where requests own their tasks, a suspended run is parked."""
    if request.param == "request-scoped":
        enable_request_scope(asyncio.ensure_future)
    yield ENGINES[request.param]
    disable_request_scope()


@pytest.fixture
def engine(make_engine):
    return make_engine()
