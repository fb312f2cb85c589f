"""Modules are parsed once in a build, by their content."""

from mastra_deployer.bundler.sources.module_code import parse_module, share_parsed_modules

SOURCE = b"from . import words\n"


def test_a_module_is_parsed_once_in_a_block():
    with share_parsed_modules():
        first = parse_module(SOURCE, "shop")
        assert parse_module(SOURCE, "shop") is first
        assert parse_module(SOURCE, "shop.more").modules == {"shop.more.words", "shop.more"}
        assert parse_module(SOURCE + b"import json\n", "shop").names != first.names
    assert parse_module(SOURCE, "shop") is not first
