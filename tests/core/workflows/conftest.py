"""The engines; every test of behaviour runs on each of them."""

import pytest

from mastra_core import MemoryEngine

ENGINES = {"memory": MemoryEngine}


@pytest.fixture(params=ENGINES)
def make_engine(request):
    return ENGINES[request.param]


@pytest.fixture
def engine(make_engine):
    return make_engine()
