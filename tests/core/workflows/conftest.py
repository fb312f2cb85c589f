"""Each engine that there is; every test of behaviour runs on each."""

import pytest

from mastra_core import MemoryEngine

ENGINES = {"memory": MemoryEngine}


@pytest.fixture(params=ENGINES)
def engine(request):
    return ENGINES[request.param]()
