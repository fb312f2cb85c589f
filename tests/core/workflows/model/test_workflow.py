"""Mistakes that are found when a workflow is described."""

import threading

import pytest

from mastra_core import Workflow, step
from mastra_core.errors import ConfigError
from tests.core.workflows.sample_steps import add_one, ask, double


def take_two(a: int, b: int): ...


def take_untyped(a): ...


@pytest.mark.parametrize(
    "make",
    [
        lambda: Workflow("w").then(3),
        lambda: Workflow("w").parallel(),
        lambda: Workflow("w").branch(),
        lambda: Workflow("w").branch(add_one),
        lambda: Workflow("w").branch([add_one, double, ask]),
        lambda: Workflow("w").then(add_one).then(add_one),
        lambda: Workflow("w").parallel(add_one, add_one),
        lambda: step(take_two),
        lambda: step(take_untyped),
        lambda: step(resume=threading.Lock)(add_one.function),
    ],
)
def test_invalid_description_is_refused(make):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint
