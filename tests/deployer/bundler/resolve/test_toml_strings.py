"""The strings of a lock keep any path."""

import tomllib

import pytest

from mastra_deployer.bundler.resolve.toml_strings import quote, replace_paths

NAMES = ["plain", 'a "b"', "back\\slash", "it's", "snow \u2603 \U0001f600", "\x7f\t\n", "'\"\\"]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_text_keeps_its_value(name):
    assert tomllib.loads(f"text = {quote(name)}") == {"text": name}


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_replaced_and_nothing_else(name):
    lock = f"path = {quote(name)}\nwheels = [{{ path = {quote(name)}, size = 1 }}, {{ url = 'x' }}]"
    replaced = tomllib.loads(replace_paths(lock, lambda path: f"/home/ann/{path}"))
    wheels = [{"path": f"/home/ann/{name}", "size": 1}, {"url": "x"}]
    assert replaced == {"path": name, "wheels": wheels}


def test_a_path_may_be_a_literal_string():
    lock = "archive = { path = 'a \"b\"' }"
    assert tomllib.loads(replace_paths(lock, str.upper)) == {"archive": {"path": 'A "B"'}}
