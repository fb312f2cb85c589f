"""Test that estimates are not below the memory that data takes."""

import json
import tracemalloc

import pytest

from mastra_core.limits.memory_size import estimate_size

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
