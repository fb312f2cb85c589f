"""Read the imports of a module without running it."""

import ast

import pytest

from mastra_deployer.project.ast_imports import read_imports


def read(source, package="shop.parts"):
    return read_imports(ast.walk(ast.parse(source)), package)


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import a.b as c", ("a.b",)),
        ("from a.b import c, d", ("a.b", "a.b.c", "a.b.d")),
        ("from a import *", ("a",)),
        ("from . import c", ("shop.parts", "shop.parts.c")),
        ("from .. import c", ("shop", "shop.c")),
        ("from ..a.b import c", ("shop.a.b", "shop.a.b.c")),
        ("def f():\n    import a", ("a",)),
        ("import importlib\nimportlib.import_module('a.b')", ("a.b",)),
        ("from importlib import import_module as i, import_module\nimport_module('a')", ("a",)),
        ("import_module('.a', __package__)", None),
        ("__import__('a')", ("a",)),
        ("import_module(name)", None),
        ("if TYPE_CHECKING:\n    import a", None),
        ("if typing.TYPE_CHECKING and x:\n    import a", None),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", ("b",)),
    ],
)
def test_modules(source, modules):
    found = [item.modules for item in read(source) if not item.modules[0].startswith("importlib")]
    assert found == ([modules] if modules else [])


@pytest.mark.parametrize(
    ("source", "optional"),
    [
        ("try:\n    import a\nexcept ImportError:\n    a = None", True),
        ("try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    a = None", True),
        ("try:\n    pass\nexcept ImportError:\n    import a", True),
        ("try:\n    import a\nexcept:\n    pass", True),
        ("try:\n    import a\nexcept KeyError:\n    pass", False),
        ("try:\n    import a\nfinally:\n    pass", False),
        ("with contextlib.suppress(ImportError):\n    import a", True),
        ("with suppress(KeyError):\n    import a", False),
        ("if sys.platform == 'win32':\n    import a", True),
        ("if sys.version_info < (3, 11):\n    import a", True),
        ("if find_spec('a'):\n    import a", True),
        ("if __name__ == '__main__':\n    import a", True),
        ("if args.name:\n    import a", False),
        ("if verbose:\n    import a", False),
    ],
)
def test_optional_imports(source, optional):
    assert [item.optional for item in read(source)] == [optional]
