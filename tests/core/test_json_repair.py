"""Test the replacement of text and numbers that JSON cannot contain."""

import json

import pytest

from mastra_core.json_repair import repair_text
from mastra_core.schema import dump, encode_json

HALF = "\ud83d"


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("plain", "plain"),
        ("é 😀", "é 😀"),
        (HALF, "\ufffd"),
        (f"a{HALF}b", "a\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        (f"{HALF}\ude00", "😀"),  # two deltas of a stream that split an emoji
    ],
    ids=["ascii", "emoji", "half", "between", "reversed", "pair"],
)
def test_text(text, repaired):
    assert repair_text(text) == repaired
    assert dump(text) == dump((text,))[0] == repaired


@pytest.mark.parametrize(
    "number", [0, 2**63, -(2**70), 10**4299], ids=["zero", "large", "negative", "largest"]
)
def test_number_that_json_can_contain(number):
    assert dump(number) == number
    assert json.loads(encode_json([number])) == [number]


@pytest.mark.parametrize("number", [10**4300, -(10**5000)], ids=["positive", "negative"])
def test_giant_number(number):
    assert dump(number) is None
    assert encode_json({"a": number}) == b'{"a":null}'


def test_keys_and_nested_values():
    value = {HALF: [{"a": (HALF, 1)}], "nan": float("nan"), "b": b"x"}
    repaired = '{"\ufffd":[{"a":["\ufffd",1]}],"nan":null,"b":"eA=="}'
    assert encode_json(value).decode() == encode_json(dump(value)).decode() == repaired
