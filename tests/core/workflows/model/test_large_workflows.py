"""Workflows with many steps, and with many levels."""

import asyncio
import dataclasses
import sys

import pytest

from mastra_core import Workflow, as_child
from mastra_core.errors import ConfigError
from tests.core.workflows.sample_steps import add_one


def build_nested(levels):
    workflow = Workflow("w1").then(add_one)
    for level in range(2, levels + 1):
        workflow = Workflow(f"w{level}").then(workflow)
    return workflow


def build_doubled(levels):
    """A workflow that contains another one twice, and so on."""
    workflow = Workflow("w1").then(add_one)
    for level in range(2, levels + 1):
        inner = workflow
        workflow = Workflow(f"w{level}").then(inner)
        workflow = workflow.then(dataclasses.replace(workflow.nodes[0].step, id="again"))
    return workflow


def count_calls(function):
    """Count the calls of functions, in Python and in C."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def append_steps(number):
    steps = [dataclasses.replace(add_one, id=f"s{index}") for index in range(number)]

    def append():
        workflow = Workflow("w")
        for step in steps:
            workflow = workflow.then(step)

    return append


def append_mappings(number):
    def append():
        workflow = Workflow("w", input=int)
        for _ in range(number):
            workflow = workflow.map({"value": {"value": 1}})

    return append


def append_pauses(number):
    def append():
        workflow = Workflow("w", input=int).then(add_one)
        for _ in range(number):
            workflow = workflow.sleep(0)

    return append


@pytest.mark.parametrize("build", [append_steps, append_mappings, append_pauses])
def test_a_node_is_appended_without_a_look_at_the_others(build):
    build(3)()  # modules are imported, schemas are kept
    assert count_calls(build(400)) <= 2.1 * count_calls(build(200))


def test_deepest_workflow_runs_and_is_drawn(engine):
    async def run():
        started = await engine.create(workflow)
        await engine.start(started, 1)
        return await started.wait()

    workflow = build_nested(50)
    assert len(workflow.fingerprint) == 16
    assert workflow.draw().count("subgraph") == 49
    assert workflow.draw("svg").count('class="workflow"') == 49
    assert workflow.build_graph()[0]["type"] == "workflow"
    assert asyncio.run(run()).result == 2


def test_deeper_workflow_is_refused():
    with pytest.raises(ConfigError, match="The workflow 'w51' contains workflows on more than 50"):
        build_nested(51)


def test_long_chain_of_child_workflows_is_refused():
    workflow = Workflow("w1").then(add_one)
    for level in range(2, 51):
        workflow = Workflow(f"w{level}").then(as_child(workflow))
    with pytest.raises(ConfigError, match="The workflow 'w51' contains workflows on more than 50"):
        Workflow("w51").then(as_child(workflow))


def test_steps_of_nested_workflows_count_as_often_as_they_are_nested():
    assert build_doubled(12).index.size == 6_142
    with pytest.raises(ConfigError, match="has more than 10,000 steps"):
        build_doubled(30)


def test_copies_share_no_nodes_and_no_facts():
    first = Workflow("w").then(add_one)
    left, right = first.sleep(1), first.sleep(1)
    assert (len(first.nodes), len(left.nodes), first.index.ids) == (1, 2, {"add_one"})
    assert left.fingerprint == right.fingerprint != first.fingerprint
    assert left.sleep(1).nodes[-1].id == "sleep_2"


def test_a_step_that_starts_child_runs_makes_the_workflow_durable():
    inner = Workflow("inner").then(as_child(Workflow("child").then(add_one)))
    assert inner.durable
    assert Workflow("w").then(inner).durable
    assert not Workflow("w").then(add_one).durable


def test_long_chain_of_earlier_descriptions_is_known(make_engine):
    workflow = Workflow("w", version="0").then(add_one)
    for number in range(1, 1_500):
        workflow = Workflow("w", version=str(number), previous=workflow).then(add_one)
    engine = make_engine()
    assert engine is not None
    asyncio.run(engine.open([workflow]))
