"""Graphs and diagrams of workflows."""

import datetime as dt
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from mastra_core import Workflow, step, tool
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import add_one, double


@tool
def add(n: int) -> int:
    """Adds."""
    return n


def is_positive(n) -> bool:
    return n > 0


@step(resume=int)
async def free(value: Any) -> Any:
    return value


INNER = Workflow("inner", description="Within.").then(add_one).then(as_step(free, id="why"))
EVERY_NODE = (
    Workflow("<whole> &")
    .then(add_one)
    .parallel(double, INNER)
    .map({"n": {"step": double}, "was": {"input": "a.b"}, "secret": {"value": "hunter2"}})
    .branch((is_positive, as_step(add, id="sum")), (lambda n: True, as_step(free, id="<b>")))
    .map(list, id="items")
    .foreach(as_step(INNER, id="each"), concurrency=2)
    .map(len)
    .dowhile(as_step(double, id="more"), is_positive)
    .dountil(as_step(INNER, id="again"), is_positive)
    .sleep(1.5)
    .sleep_until(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    .sleep(lambda n: n)
)


def test_graph():
    plus = {
        "type": "step",
        "step": {"id": "add_one", "description": "Adds one.", "canSuspend": False},
    }
    doubled = {"type": "step", "step": {"id": "double", "canSuspend": False}}
    why = {"type": "step", "step": {"id": "why", "canSuspend": True}}
    inner = {
        "type": "workflow",
        "id": "inner",
        "description": "Within.",
        "workflowId": "inner",
        "serializedStepFlow": [plus, why],
    }
    graph = EVERY_NODE.build_graph()
    assert graph[0] == plus
    assert graph[1] == {"type": "parallel", "steps": [doubled, inner]}
    assert graph[2] == {
        "type": "mapping",
        "id": "mapping_1",
        "mapConfig": "n: double, was: input.a.b, secret: value",
    }
    assert graph[3]["type"] == "conditional"
    assert graph[3]["steps"][0] == {
        "type": "tool",
        "id": "sum",
        "description": "Adds.",
        "toolId": "add",
    }
    assert graph[3]["serializedConditions"] == [
        {"id": "sum-condition", "fn": "is_positive"},
        {"id": "<b>-condition", "fn": "condition"},
    ]
    assert graph[5] == {
        "type": "foreach",
        "step": {**inner, "id": "each"},
        "opts": {"concurrency": 2},
    }
    assert graph[7] == {
        "type": "loop",
        "step": {"type": "step", "step": {"id": "more", "canSuspend": False}},
        "serializedCondition": {"id": "more-condition", "fn": "is_positive"},
        "loopType": "dowhile",
    }
    assert graph[8]["loopType"] == "dountil"
    assert graph[9:] == [
        {"type": "sleep", "id": "sleep_1", "duration": 1500},
        {"type": "sleepUntil", "id": "sleep_2", "date": "2030-01-01T00:00:00+00:00"},
        {"type": "sleep", "id": "sleep_3", "fn": "condition"},
    ]


def test_mermaid_of_every_node():
    lines = EVERY_NODE.draw().splitlines()
    assert lines[0] == "flowchart TD"
    assert sum(line.strip() == "end" for line in lines) == 3
    text = "\n".join(lines)
    for part in (
        '["add_one"]',
        '[["sum"]]',
        '[/"#lt;b#gt;"/]',
        '-->|"is_positive"|',
        "subgraph n",
        '["each<br/>for each item, 2 at a time"]',
        '-->|"while is_positive"|',
        '-->|"until is_positive"|',
        '(["sleep 1.5 s"])',
        '(["sleep until 2030-01-01 00:00:00+00:00"])',
    ):
        assert part in text
    assert "hunter2" not in text


def test_mermaid_of_two_steps():
    assert Workflow("w").then(add_one).then(double).draw("mermaid") == (
        "flowchart TD\n"
        "  n1([start])\n"
        '  n3["add_one"]\n'
        "  n1 --> n3\n"
        '  n4["double"]\n'
        "  n3 --> n4\n"
        "  n2([end])\n"
        "  n4 --> n2\n"
    )


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("workflow", [EVERY_NODE, Workflow("w").then(add_one), INNER])
def test_svg(workflow):
    root = ET.fromstring(workflow.draw("svg"))
    assert root.tag == f"{SVG}svg"
    width, height = (float(root.get(name)) for name in ("width", "height"))
    boxes = [
        [float(each.get(name)) for name in ("x", "y", "width", "height")]
        for each in root.iter(f"{SVG}rect")
    ]
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    words = {each.text for each in root.iter(f"{SVG}text")}
    assert {"start", "end", "add_one"} <= words


def test_svg_boxes_do_not_overlap():
    root = ET.fromstring(EVERY_NODE.draw("svg"))
    boxes = [
        [float(each.get(name)) for name in ("x", "y", "width", "height")]
        for each in root.iter(f"{SVG}rect")
        if each.get("class") != "workflow"
    ]
    for index, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in boxes[index + 1 :]:
            apart = x + w <= other_x or other_x + other_w <= x
            assert apart or y + h <= other_y or other_y + other_h <= y


def test_svg_drops_characters_that_xml_does_not_allow():
    def condition(n):
        return True

    condition.__name__ = "is\0odd"
    picture = Workflow("w").branch((condition, add_one)).draw("svg")
    assert "isodd" in {text.text for text in ET.fromstring(picture).iter(f"{SVG}text")}
