"""Short functions, no module for everything, no unfinished marks, ignores with a reason."""

import ast
import re

from tests.laws.sources import ROOT, all_sources, shown, tree

FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "constants", "misc"}


def functions():
    """Every function, and how many lines its body has: signature and docstring are not code."""
    for path in all_sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                yield f"{shown(path)}:{node.lineno} {node.name}", length


def test_functions_are_short():
    lengths = dict(functions())
    assert len(lengths) > 100
    short = sum(length <= 30 for length in lengths.values())
    assert short / len(lengths) >= 0.9
    assert {name: length for name, length in lengths.items() if length > 60} == {}


def test_no_module_is_for_everything():
    folders = {path.parent.name for path in all_sources()}
    assert not FORBIDDEN & (folders | {path.stem for path in all_sources()})


def test_no_unfinished_marks():
    for path in all_sources():
        assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text()), shown(path)


def test_every_exception_from_a_rule_says_why():
    places = [*all_sources(), *(ROOT / "examples").glob("*/*.py"), *(ROOT / "tests").rglob("*.py")]
    for path in places:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := re.search(r".*# (?:noqa|type: ignore|pyright: ignore)\b(.*)", line):
                assert re.search(r"#.*\w", found[1]), f"{shown(path)}:{number}: {line.strip()}"
