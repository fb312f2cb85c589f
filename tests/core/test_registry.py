import dataclasses

import pytest

from mastra_core.errors import ConfigError, NotFound
from mastra_core.registry import Registry


@dataclasses.dataclass
class Thing:
    id: str


class Empty(Thing):
    def __len__(self):
        return 0


def test_find_by_key_and_id():
    thing = Thing("the-id")
    things = Registry("thing", {"key": thing})
    assert things.find("key") is things.find("the-id") is things["key"] is thing
    assert list(things) == ["key"]
    assert "the-id" not in things
    with pytest.raises(NotFound, match="There is no thing 'other'"):
        things.find("other")


def test_falsy_item_is_found():
    empty = Empty("none")
    assert Registry("thing", {"key": empty}).find("key") is empty


@pytest.mark.parametrize(
    "name", ["", "a/b", "a b", "a?b", ".", "..", "-a", "ä", "a\n", "x" * 129, 7, None]
)
def test_name_that_is_invalid_in_a_url(name):
    with pytest.raises(ConfigError, match="cannot be part of a URL"):
        Registry("thing", {name: Thing("fine")})
    with pytest.raises(ConfigError, match="cannot be part of a URL"):
        Registry("thing", {"fine": Thing(name)})


@pytest.mark.parametrize("name", ["a", "9", "_x", "a.b-c_d", "x" * 128])
def test_name_that_is_valid_in_a_url(name):
    assert Registry("thing", {name: Thing("fine")}).find(name).id == "fine"


@pytest.mark.parametrize(
    "items",
    [
        {"a": Thing("same"), "b": Thing("same")},
        {"a": Thing("b"), "b": Thing("other")},
        {"b": Thing("other"), "a": Thing("b")},
    ],
)
def test_ambiguous_name(items):
    with pytest.raises(ConfigError, match="Two things have the name"):
        Registry("thing", items)


def test_one_item_under_two_keys():
    thing = Thing("id")
    assert Registry("thing", {"a": thing, "b": thing}).find("b") is thing
