"""Test that estimates are not below the memory that data takes."""

import json
import sys
import tracemalloc
from dataclasses import dataclass

import pytest

from mastra_core.limits.memory_size import estimate_context_size, estimate_size

TEXTS = {
    "empty objects": "[" + ",".join(["{}"] * 20_000) + "]",
    "lists": "[" + ",".join(["[0]"] * 20_000) + "]",
    "numbers": "[" + ",".join(["1234.5"] * 20_000) + "]",
    "texts": "[" + ",".join([f'"text {number}"' for number in range(20_000)]) + "]",
    "entries": "{" + ",".join([f'"key{number}":{number}' for number in range(20_000)]) + "}",
    "messages": "[" + ",".join(['{"role":"user","content":"' + "x" * 200 + '"}'] * 2_000) + "]",
    "a text": json.dumps("x" * 1_000_000),
}


@pytest.mark.parametrize("name", TEXTS)
def test_estimates_are_near_the_memory(name):
    tracemalloc.start()
    try:
        value = json.loads(TEXTS[name])
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.6 * size <= estimate_size(value) <= 4 * size


def test_small_values():
    assert estimate_size(None) == estimate_size(3) == estimate_size(True) == 64
    assert estimate_size("abc") == 67


@pytest.mark.parametrize(
    "text", ["\xe4" * 100_000, "\u4e00" * 100_000, "x" * 100_000 + "\U0001f600"]
)
def test_texts_of_other_alphabets_are_not_underestimated(text):
    assert estimate_size(text) >= sys.getsizeof(text)
    assert estimate_size({"text": text}) >= sys.getsizeof(text)


def test_objects_of_the_application_count_as_one_value():
    class Connection:
        pass

    @dataclass
    class Session:
        rows: list

    context = {"text": "x" * 10_000}
    size = estimate_context_size(context)
    assert 10_000 < size < 11_000
    for value in (Connection(), Session(["x"] * 10_000), {"inner": Connection()}):
        assert size < estimate_context_size({**context, "value": value}) < size + 1000
    assert size < estimate_context_size({**context, "value": {(1, 2): 3}}) < size + 1000
    cycle = {}
    cycle["self"] = cycle
    assert size < estimate_context_size({**context, "value": cycle}) < size + 1000
    assert estimate_context_size({}) == 0
