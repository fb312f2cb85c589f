"""Mistakes that are found when a workflow is described."""

import threading

import pytest

from mastra_core import Workflow, step
from mastra_core.errors import ConfigError
from tests.core.workflows.sample_steps import ask, double, plus_one


def two_inputs(a: int, b: int): ...


def untyped(a): ...


@pytest.mark.parametrize(
    "make",
    [
        lambda: Workflow("w").then(3),
        lambda: Workflow("w").parallel(),
        lambda: Workflow("w").branch(),
        lambda: Workflow("w").branch(plus_one),
        lambda: Workflow("w").branch([plus_one, double, ask]),
        lambda: Workflow("w").then(plus_one).then(plus_one),
        lambda: Workflow("w").parallel(plus_one, plus_one),
        lambda: step(two_inputs),
        lambda: step(untyped),
        lambda: step(resume=threading.Lock)(plus_one.function),
    ],
)
def test_a_mistake_in_the_description(make):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint
