"""Test that a caller's entries cannot push out those of others."""

import random

from mastra_core.limits.caller_cache import CallerCache


def list_values(cache):
    return list(cache)


def test_a_flood_of_one_caller_keeps_the_entries_of_others():
    cache = CallerCache(10, 1000)
    for number in range(4):
        cache.put(("ann", number), f"ann{number}", "ann", 1)
    for number in range(100):
        cache.put(("bob", number), f"bob{number}", "bob", 1)
    assert [value for value in cache if value.startswith("ann")] == [f"ann{n}" for n in range(4)]
    assert list_values(cache)[4:] == [f"bob{number}" for number in range(94, 100)]


def test_large_entries_of_one_caller_keep_the_small_ones_of_others():
    cache = CallerCache(1000, 100)
    cache.put("small", "small", "ann", 10)
    for number in range(10):
        cache.put(number, number, "bob", 40)
    assert list_values(cache) == ["small", 8, 9]
    cache.put("huge", "huge", "bob", 200)
    assert list_values(cache) == ["small"]


def test_callers_in_turn_lose_their_oldest_entries():
    cache = CallerCache(4, 1000)
    for number in range(6):
        cache.put(number, number, f"caller{number}", 1)
    assert list_values(cache) == [2, 3, 4, 5]


def test_entries_are_removed_by_age():
    removed = []
    cache = CallerCache(10, 1000, -1, removed.append)
    cache.put("a", "value", "ann", 1)
    assert cache.get("a") is None
    assert removed == ["value"]
    assert len(cache) == 0


def test_replaced_and_popped_entries_are_not_reported():
    removed = []
    cache = CallerCache(10, 1000, on_remove=removed.append)
    cache.put("a", "first", "ann", 1)
    cache.put("a", "second", "bob", 1)
    assert cache.pop("a") == "second"
    assert cache.pop("a") is None
    assert removed == []


def test_bounds_hold_for_random_calls():
    chance = random.Random(2)
    cache = CallerCache(20, 300)
    sizes = {}
    for number in range(5000):
        key = chance.randrange(60)
        if chance.random() < 0.2:
            cache.pop(key)
        else:
            sizes[number] = chance.randrange(50)
            cache.put(key, number, chance.choice("abcde"), sizes[number])
        values = list_values(cache)
        assert len(values) == len(cache) <= 20
        assert sum(sizes[value] for value in values) == cache._size <= 300
        assert sum(share.size for share in cache._shares.values()) == cache._size
    for key in range(60):
        cache.pop(key)
    assert not (cache._shares or cache._size)
