"""What is public is said, exists, and is explained."""

import ast
import importlib
import inspect
import re

import pytest

import mastra_core
import mastra_server
from mastra_core import errors
from mastra_core.errors import MastraError
from tests.laws.sources import ROOT, all_sources, module_name, shown, tree

# Run by path in other interpreters: nobody imports them, so nothing in them is public.
FILES = [
    path
    for path in all_sources()
    if path.stem not in ("launcher", "serverless_launcher", "event_handler")
    and not path.stem.endswith("_child")
]


def declared(path):
    """The ``__all__`` of a file, as it stands."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return None


def in_order(names):
    """As ruff sorts them: constants, then classes, then the rest."""

    def rank(name):
        if name.isupper() and len(name) > 1:
            return 0
        return 1 if name[:1].isupper() else 2

    return sorted(names, key=lambda name: (rank(name), name))


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_all_is_true(path):
    names = declared(path)
    body = [node for node in tree(path).body if not isinstance(node, ast.Expr)]
    if names is None:
        assert not body, f"{shown(path)} has no __all__"
        return
    assert isinstance(names, tuple)
    assert len(set(names)) == len(names)
    assert list(names) == in_order(names)
    module = importlib.import_module(module_name(path))
    assert not [name for name in names if not hasattr(module, name)]


@pytest.mark.parametrize("package", [mastra_core, mastra_server])
def test_a_lazy_package_lists_and_loads_exactly_its_public_names(package):
    assert dir(package) == sorted(package.__all__)
    assert set(package._MODULES) == set(package.__all__)
    for name, module in package._MODULES.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


def undocumented(node, prefix=""):
    """Public functions and classes without a docstring, and public methods of public classes."""
    for item in node.body:
        if not isinstance(item, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if item.name.startswith("_") or _inherits_its_words(item):
            continue
        if not ast.get_docstring(item):
            yield prefix + item.name
        if isinstance(item, ast.ClassDef):
            yield from undocumented(item, f"{item.name}.")


def _inherits_its_words(item):
    decorators = {ast.unparse(each) for each in item.decorator_list}
    return bool(decorators & {"overload", "override", "typing.overload"})


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_what_is_public_has_a_docstring(path):
    assert not list(undocumented(tree(path))), shown(path)


def drawn():
    """The tree at the top of errors.py: name to parent, exit code or status in brackets."""
    parents, numbers, stack = {}, {}, []
    for line in errors.__doc__.splitlines()[1:]:
        found = re.match(r"([│ ├└─]*)([A-Z]\w+)\b", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        stack[depth:] = [found[2]]
        parents[found[2]] = stack[depth - 1] if depth else None
        number = re.search(r"\((?:exit|HTTP) (\d+)\)", line)
        numbers[found[2]] = int(number[1]) if number else None
    return parents, numbers


def classes():
    return [getattr(errors, name) for name in errors.__all__]


def test_the_drawing_is_the_tree():
    parents, numbers = drawn()
    real = {cls.__name__: cls.__base__.__name__ for cls in classes() if cls is not MastraError}
    assert parents == {"MastraError": None, **real}
    for cls in classes():
        if cls is not MastraError:
            assert numbers[cls.__name__] == getattr(cls, "status", cls.exit_code), cls


def test_exit_codes_are_distinct_and_documented():
    tools = [cls for cls in classes() if not issubclass(cls, errors.RequestError)]
    for runtime in (
        errors.AgentFailed,
        errors.McpFailed,
        errors.StorageError,
        errors.UnreadableData,
    ):  # like any defect they are 1
        tools.remove(runtime)
    codes = {cls.__name__: cls.exit_code for cls in tools}
    assert len(set(codes.values())) == len(codes)
    text = (ROOT / "docs" / "errors.md").read_text()
    for name, code in codes.items():
        assert re.search(rf"\| {code} \| .*`{name}`", text), name
    for cls in classes():
        assert f"`{cls.__name__}`" in text, cls


def test_every_error_of_ours_is_in_the_tree():
    """A package may refine what a caller did wrong; what a command ends with is in the tree."""
    fixed = {cls.__name__ for cls in classes() if not issubclass(cls, errors.RequestError)}
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and path.stem != "errors":
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                assert not bases & fixed, f"{node.name} in {shown(path)}"


def test_every_error_takes_a_message_and_a_hint():
    for cls in classes():
        error = cls("It broke.", "Mend it.")
        assert str(error) == "It broke.\nMend it."
        assert str(cls("It broke.")) == "It broke."
        assert inspect.getdoc(cls)
