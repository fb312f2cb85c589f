"""The fingerprint of a workflow changes with what the keys of its journal depend on."""

import pytest

from mastra_core import Workflow, as_child, as_step, step
from mastra_core.errors import ConfigError
from tests.core.workflows.sample_steps import add_one, ask, double

BASE = Workflow("w").then(add_one).then(ask)
INNER = Workflow("inner").then(add_one)


def is_positive(n: int) -> bool:
    return n > 0


@step
def to_text(value: str) -> str:
    return value


@step(id="add_one", retry=3, timeout=5, description="other code and types")
def other_function(n: float) -> float:
    return n


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w", description="d", retry=2, timeout=9, state=dict).then(add_one).then(ask),
        Workflow("w").then(other_function).then(ask),
        Workflow("w", previous=[BASE]).then(add_one).then(ask),
        Workflow("w", durable=True).then(add_one).then(ask),
    ],
)
def test_same_fingerprint(workflow):
    assert workflow.fingerprint == BASE.fingerprint


def test_numbers_of_waits_and_items_do_not_count():
    def build(concurrency, seconds):
        return Workflow("w", list[int]).foreach(add_one, concurrency=concurrency).sleep(seconds)

    assert build(1, 1).fingerprint == build(5, 9).fingerprint


DIFFERENT = [
    BASE,
    Workflow("v").then(add_one).then(ask),
    Workflow("w", version="2").then(add_one).then(ask),
    BASE.then(to_text),
    Workflow("w").then(double).then(add_one).then(ask),
    Workflow("w").then(as_step(add_one, id="other")).then(ask),
    Workflow("w").then(add_one),
    Workflow("w").then(add_one).sleep(1),
    Workflow("w").then(add_one).map(lambda n: n, id="ask"),
    Workflow("w").parallel(add_one, double),
    Workflow("w").branch((is_positive, add_one), (is_positive, double)),
    Workflow("w").parallel(add_one),
    Workflow("w").then(as_child(INNER)),
    Workflow("w").then(as_child(INNER, wait=False)),
    Workflow("w", list[int]).foreach(add_one),
    Workflow("w").dountil(add_one, is_positive),
    Workflow("w").dowhile(add_one, is_positive),
    Workflow("w").then(INNER),
    Workflow("w").then(INNER.then(double)),
]


def test_different_fingerprints():
    fingerprints = [workflow.fingerprint for workflow in DIFFERENT]
    assert len({*fingerprints}) == len(DIFFERENT)
    assert all(len(each) == 16 for each in fingerprints)


def test_fingerprint_is_the_same_in_each_build():
    """A release that changes this value parks all runs of its users."""
    assert BASE.fingerprint == "cafb09acdfb9b0b9"


def test_earlier_description_has_the_same_id():
    with pytest.raises(ConfigError, match="'v' is not an earlier version of the workflow 'w'"):
        Workflow("w", previous=[Workflow("v")])
