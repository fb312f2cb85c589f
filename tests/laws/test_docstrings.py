"""Docstrings of public functions and classes: every parameter, and no other."""

import ast
import re

import pytest

from tests.laws.sources import PACKAGES, module_name, shown, sources, tree

FIELD = re.compile(r"^\s*:param (\*{0,2}\w+):", re.MULTILINE)
# Where pluggy, Click, Litestar or a file that other Pythons run decides what is written.
EXEMPT = re.compile(r"_child$|launcher$|event_handler$|\.hooks$|mastra_deployer\.cli\.")


def documented(node):
    return [name.lstrip("*") for name in FIELD.findall(ast.get_docstring(node) or "")]


def parameters(node):
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [each.arg for each in every if each.arg not in ("self", "cls")]


def fields(node):
    """What a class is constructed from: its ``__init__``, or its annotated fields."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return parameters(item)
    return [
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def public(body, prefix=""):
    """Public classes, functions and methods, with their names."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{node.name}.")


def every_public(package):
    for path in sources(package):
        name = module_name(path)
        if not EXEMPT.search(name):
            for qualname, node in public(tree(path).body):
                yield f"{shown(path)} {qualname}", node


def _needs_no_parameters(node):
    """Whether another function documents the parameters, or pytest passes them as fixtures."""
    names = [ast.unparse(each).partition("(")[0] for each in node.decorator_list]
    decorators = {name.rpartition(".")[2] for name in names}
    return node.name.startswith("test_") or bool(decorators & {"overload", "override", "fixture"})


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_what_is_documented_is_a_parameter(package):
    wrong = []
    for place, node in every_public(package):
        real = fields(node) if isinstance(node, ast.ClassDef) else parameters(node)
        extra = [name for name in documented(node) if name not in real]
        if extra and not (isinstance(node, ast.ClassDef) and node.bases):
            wrong.append(f"{place}: {extra}")
    assert wrong == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_parameter_of_a_public_function_is_documented(package):
    missing = []
    for place, node in every_public(package):
        if isinstance(node, ast.ClassDef) or _needs_no_parameters(node):
            continue
        lacking = [name for name in parameters(node) if name not in documented(node)]
        if lacking:
            missing.append(f"{place}: {lacking}")
    assert missing == []
