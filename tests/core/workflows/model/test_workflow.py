"""Mistakes that are found when a workflow is described."""

import math
import threading

import pytest

from mastra_core import DurableEngine, MemoryEngine, Retry, Workflow, as_step, step
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
        lambda: Workflow("w").map({"a": {"input": 5}}),
        lambda: Workflow("w").map({"a": {"step": "b", "path": 5}}),
        lambda: Workflow("w").then(add_one).draw("png"),
        lambda: as_step(add_one, id=["a"]),
        lambda: Workflow(""),
        lambda: Workflow("a\0b"),
        lambda: Workflow("w", previous=[Workflow("other")]),
        lambda: Workflow("w", previous=5),
        lambda: as_step(add_one, id=5),
        lambda: Retry(on=(int,)),
        lambda: Retry(on=OSError),
        lambda: as_step(add_one, id="a\nb"),
    ],
)
def test_invalid_description_is_refused(make):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan, 10**11, "5", True])
@pytest.mark.parametrize(
    "make",
    [
        lambda seconds: Workflow("w").sleep(seconds),
        lambda seconds: Workflow("w", timeout=seconds),
        lambda seconds: as_step(add_one, timeout=seconds),
        lambda seconds: DurableEngine(lease=seconds),
        lambda seconds: DurableEngine(max_age=seconds),
        lambda seconds: MemoryEngine(max_age=seconds),
    ],
)
def test_invalid_number_of_seconds_is_refused(make, seconds):
    """A database cannot store the end of a wait without an end."""
    with pytest.raises(ConfigError, match="is not a valid number of seconds"):
        make(seconds)


@pytest.mark.parametrize("number", [-1, 1.5, "5", True])
@pytest.mark.parametrize(
    ("engine", "setting"),
    [
        (DurableEngine, "max_concurrency"),
        (DurableEngine, "max_unfinished"),
        (MemoryEngine, "max_unfinished"),
        (MemoryEngine, "max_events"),
    ],
)
def test_invalid_number_is_refused(engine, setting, number):
    with pytest.raises(ConfigError, match=f"{setting}={number!r} is not a valid number"):
        engine(**{setting: number})
