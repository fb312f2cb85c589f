"""Structured answers of every type: what the model gets, and what the caller gets of it."""

import json
import time

import pydantic_ai
import pytest

from mastra_core import Agent
from mastra_core.agents import PartialObject, TextDelta, as_agent
from tests.core.scripted_model import Script, build_input, call, list_events, run_agent

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NODE = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["next"],
}
SHARED = {"anyOf": [{"$ref": "#/$defs/city"}, {"type": "null"}], "$defs": {"city": CITY}}
# The schema, the property that contains the answer, the answer, and another that is invalid.
CASES = {
    "object": (CITY, "", {"city": "Oslo"}, {"city": 1}),
    "array": ({"type": "array", "items": CITY}, "elements", [{"city": "Oslo"}], [{"city": 1}]),
    "numbers": ({"type": "array", "items": {"type": "number"}}, "elements", [1, 2.5], ["x"]),
    "union": ({"anyOf": [CITY, {"type": "number"}]}, "result", {"city": "Oslo"}, {"city": 1}),
    "enumeration": ({"type": "string", "enum": ["red", "green"]}, "result", "green", "blue"),
    "mixed enumeration": ({"enum": ["red", 1, None]}, "result", 1, 2),
    "number": ({"type": "number"}, "result", 42, "42"),
    "boolean": ({"type": "boolean"}, "result", False, 0),
    "nullable": ({"type": ["object", "null"]}, "result", None, 1),
    "anything": ({}, "result", [1], None),
    "shared": (SHARED, "result", {"city": "Oslo"}, {"city": 1}),
    "recursive": ({"anyOf": [NODE]}, "result", {"next": None}, {"next": 1}),
}
FORMS = {"own loop": Agent, "pydantic-ai": None}


def build_agent(form, script):
    if form == "own loop":
        return Agent(name="a", model=script.model)
    return as_agent(pydantic_ai.Agent(script.model, name="a"))


def split(text, size=3):
    return [text[start : start + size] for start in range(0, len(text), size)]


def stream_answer(schema, pieces, form="own loop"):
    """The events of a run whose model writes its answer in pieces."""
    first, *rest = pieces
    turn = [call("final_result", first), *(call(None, each, id=None) for each in rest)]
    return list_events(build_agent(form, Script(turn)), build_input(output_schema=schema))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_type_of_the_answer(case, form):
    if case == "recursive" and form == "pydantic-ai":
        pytest.skip("pydantic-ai refuses recursive schemas")
    schema, wrapper, answer, invalid = CASES[case]

    def wrap(value):
        return {wrapper: value} if wrapper else value

    turns = [] if case == "anything" else [[call("final_result", wrap(invalid))]]
    script = Script(*turns, [call("final_result", wrap(answer))])
    out = run_agent(build_agent(form, script), build_input(output_schema=schema))
    assert (out.object, json.loads(out.text)) == (answer, wrap(answer))
    assert out.object is answer or type(out.object) is type(answer)
    [definition] = script.infos[0].output_tools
    assert definition.parameters_json_schema["type"] == "object"
    assert list(definition.parameters_json_schema["properties"])[:1] == [
        wrapper or next(iter(schema["properties"]))
    ]
    assert len(script.asked) == len(turns) + 1


@pytest.mark.parametrize(
    "text",
    [
        '{"elements": [1, 2]}',
        "[1, 2]",
        'Here it is:\n```json\n{"elements": [1, 2]}\n```\nDone.',
        'Sure: {"elements": [1, 2]}',
    ],
)
def test_answer_as_text(text):
    schema = CASES["numbers"][0]
    out = run_agent(Agent(name="a", model=Script([text]).model), build_input(output_schema=schema))
    assert (out.object, out.text) == ([1, 2], text)


def test_references_keep_their_targets():
    script = Script([call("final_result", {"result": {"next": {"next": None}}})])
    run_agent(Agent(name="a", model=script.model), build_input(output_schema={"anyOf": [NODE]}))
    sent = script.infos[0].output_tools[0].parameters_json_schema
    root = {"$ref": "#/$defs/answer_root"}
    assert sent["properties"]["result"] == root
    node = sent["$defs"]["answer_root"]["anyOf"][0]
    assert node["properties"]["next"]["anyOf"][0] == root
    script = Script([call("final_result", {"result": None})])
    run_agent(Agent(name="a", model=script.model), build_input(output_schema=SHARED))
    sent = script.infos[0].output_tools[0].parameters_json_schema
    assert sent["$defs"]["city"] == CITY
    assert sent["properties"]["result"]["anyOf"][0] == {"$ref": "#/$defs/city"}


@pytest.mark.parametrize("form", FORMS)
def test_partial_objects(form):
    cases = {
        "array": (
            ['{"elem', 'ents":[{"city":"Os', 'lo"},{"city":"Ber', 'gen"}]}'],
            [
                [{"city": "Os"}],
                [{"city": "Oslo"}, {"city": "Ber"}],
                [{"city": "Oslo"}, {"city": "Bergen"}],
            ],
        ),
        "numbers": (['{"elements":[1,', "2,3]}"], [[], [1, 2, 3]]),
        "union": (['{"result":{"ci', 'ty":"Os', 'lo"}}'], [{}, {"city": "Os"}, {"city": "Oslo"}]),
        "enumeration": (['{"result":"', "gr", 'een"}'], ["green"]),
        "number": (['{"result":4', "2}"], []),
        "object": (['{"city":', '"Os', 'lo"', "}"], [{}, {"city": "Os"}, {"city": "Oslo"}]),
    }
    for case, (pieces, partial) in cases.items():
        events = stream_answer(CASES[case][0], pieces, form)
        assert [each.object for each in events if isinstance(each, PartialObject)] == partial, case
        assert [each.text for each in events if isinstance(each, TextDelta)] == pieces


def test_partial_objects_of_a_model_that_writes_text():
    agent = Agent(name="a", model=Script(['{"city":', '"Os', 'lo"}']).model)
    events = list_events(agent, build_input(output_schema=CITY))
    partial = [each.object for each in events if isinstance(each, PartialObject)]
    assert partial == [{}, {"city": "Os"}, {"city": "Oslo"}]


def test_partial_objects_of_a_long_answer_have_limited_size():
    answer = {"elements": [{"city": f"city {number}"} for number in range(1500)]}
    pieces = split(json.dumps(answer), 4)
    started = time.process_time()
    events = stream_answer(CASES["array"][0], pieces)
    assert time.process_time() - started < 5
    sent = sum(len(json.dumps(each.object)) for each in events if isinstance(each, PartialObject))
    assert sent < 100 * len("".join(pieces))
    assert events[-1].object == answer["elements"]
