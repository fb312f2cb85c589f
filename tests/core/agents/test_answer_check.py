"""Test that the schema of a caller neither loads addresses nor takes unlimited time."""

import re
import socket
import time

import pytest

from mastra_core.agents.pydantic_ai.answer_check import _Inliner, build_answer_check
from mastra_core.errors import InvalidInput


def check(schema, value, *, enforce_patterns=False):
    return build_answer_check({"type": "object", **schema}, enforce_patterns=enforce_patterns)(
        value
    )


def test_answers_are_checked():
    schema = {
        "properties": {"n": {"type": "integer"}, "tree": {"$ref": "#/$defs/tree"}},
        "required": ["n"],
        "additionalProperties": False,
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"left": {"$ref": "#/$defs/tree"}, "value": {"type": "string"}},
            }
        },
    }
    good = {"n": 1, "tree": {"left": {"left": {"value": "x"}}}}
    for enforce_patterns in (False, True):
        assert check(schema, good, enforce_patterns=enforce_patterns) == good
        for bad in ({}, {"n": "x"}, {"n": 1, "m": 2}, {"n": 1, "tree": {"left": {"value": 3}}}):
            with pytest.raises(ValueError, match="answer"):
                check(schema, bad, enforce_patterns=enforce_patterns)


@pytest.mark.parametrize("enforce_patterns", [False, True])
def test_missing_properties_are_named(enforce_patterns):
    item = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b", "a"]}
    schema = {
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "pair": {"items": [{}, item]},
            "both": {"allOf": [item, {"required": ["c"]}]},
        },
        "additionalProperties": item,
        "$defs": {"item": item},
    }
    for value, fault in (
        ({"list": [{"a": 1, "b": 2}, {"a": 1}]}, "answer.list[1] must contain 'b'"),
        ({"pair": [1, {}, {}]}, "answer.pair[1] must contain 'a', 'b'"),
        ({"other": {"b": 1}}, "answer.other must contain 'a'"),
        ({"both": {"a": 1, "b": 2}}, "answer.both must contain 'c'"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(fault)}$"):
            check(schema, value, enforce_patterns=enforce_patterns)


def test_names_of_properties_are_no_keywords():
    schema = {"properties": {"pattern": {"type": "integer"}, "$id": {"type": "string"}}}
    with pytest.raises(ValueError, match=r"answer\.pattern"):
        check(schema, {"pattern": "x"})


@pytest.mark.parametrize("enforce_patterns", [False, True])
@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "{address}/schema.json"}}},
        {"$id": "{address}/", "properties": {"a": {"$ref": "schema.json"}}},
        {"allOf": [{"$ref": "{address}"}]},
        {"properties": {"a": {"$ref": "file:///etc/hostname"}}},
    ],
)
def test_references_are_not_loaded(schema, enforce_patterns):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(InvalidInput, match="outside of the schema"):
            check(fill(schema, address), {"a": 1}, enforce_patterns=enforce_patterns)
        with pytest.raises(TimeoutError):
            listener.accept()


def fill(value, address):
    """Replace ``{address}`` in each text of a schema."""
    if isinstance(value, str):
        return value.replace("{address}", address)
    if isinstance(value, list):
        return [fill(each, address) for each in value]
    return {key: fill(each, address) for key, each in value.items()}


def test_patterns_of_callers_are_not_evaluated():
    schema = {"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}
    started = time.process_time()
    assert check(schema, {"a": "a" * 40 + "b"})
    assert time.process_time() - started < 5
    with pytest.raises(ValueError, match="pattern"):
        check({"properties": {"a": {"pattern": "^x"}}}, {"a": "y"}, enforce_patterns=True)
    named = {"patternProperties": {"^a": {}}, "additionalProperties": False}
    assert check(named, {"abc": 1}) == {"abc": 1}


def list_keys(value):
    """Yield every key of a schema that is not the name of a property."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from (list_keys_of_map(each) if key == "properties" else list_keys(each))
    elif isinstance(value, list):
        for each in value:
            yield from list_keys(each)


def list_keys_of_map(schemas):
    for each in schemas.values():
        yield from list_keys(each)


PATTERN = {"properties": {"x": {"pattern": "^(a+)+$", "format": "regex"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"dependencies": {"const": PATTERN}},
        {"dependentSchemas": {"enum": PATTERN}},
        {"$defs": {"const": PATTERN}, "$ref": "#/$defs/const"},
        {"properties": {"enum": PATTERN, "const": PATTERN}},
        {"items": [PATTERN], "contains": PATTERN, "additionalProperties": PATTERN},
        {"allOf": [PATTERN], "anyOf": [{"if": PATTERN, "then": PATTERN, "else": PATTERN}]},
        {"unevaluatedProperties": PATTERN, "contentSchema": PATTERN, "unknown": PATTERN},
        {"enum": [{"$ref": "x"}], "const": {"$id": "http://x/"}},
    ],
)
def test_no_pattern_and_no_reference_is_left(schema):
    evaluated = list(list_keys(_Inliner({"type": "object", **schema}).inline()))
    forbidden = {"pattern", "format", "patternProperties", "$ref", "$id", "dependencies"}
    assert not forbidden & set(evaluated)
    build_answer_check({"type": "object", **schema}, enforce_patterns=False)


def test_nested_references_take_limited_time():
    twice = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(60)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**twice, "d60": {"type": "object"}}}
    started = time.process_time()
    assert check(schema, {}) == {}
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 2}}}
    assert check(loop, {}) == {}
    assert time.process_time() - started < 5


@pytest.mark.parametrize("schema", [{"type": "x"}, {"type": "object", "$ref": "#/$defs/none"}])
def test_invalid_schemas(schema):
    with pytest.raises(InvalidInput, match="schema of the answer"):
        build_answer_check(schema, enforce_patterns=False)


def test_deep_schema_is_refused():
    deep = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    with pytest.raises(InvalidInput, match="nests") as caught:
        check({"properties": {"a": deep}}, {})
    assert caught.value.hint
