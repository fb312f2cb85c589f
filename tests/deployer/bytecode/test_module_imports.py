"""Which modules a source may import, and which of them it cannot do without."""

import sys

import pytest

from mastra_deployer.bytecode.module_imports_child import (
    EAGER,
    INNER,
    LAZY,
    NAMED,
    PREFIXES,
    REQUIRED,
    TRIED,
    read_module_imports,
)

IMPORT_STATEMENTS = [
    # source; what it may import; what it cannot be imported without
    ("import a.b", {"a.b"}, {"a.b"}),
    ("from a import b, c", {"a.b", "a.c"}, {"a.b", "a.c"}),
    ("from . import b", {"pkg.b"}, {"pkg.b"}),
    ("from ..up import b", {"up.b"}, {"up.b"}),
    ("class A:\n    import b", {"b"}, {"b"}),
    ("with x:\n    import b", {"b"}, {"b"}),
    ("def f():\n    import b", {"b"}, set()),
    ("async def f():\n    for x in y:\n        import b", {"b"}, set()),
    ("if sys.platform == 'win32':\n    import b\nelse:\n    import c", {"b", "c"}, set()),
    ("match x:\n    case 1:\n        import b", {"b"}, set()),
    ("try:\n    import b\nexcept ImportError:\n    import c", {"b", "c"}, set()),
    ("try:\n    import b\nexcept ImportError as e:\n    raise Missing('b') from e", {"b"}, {"b"}),
    ("try:\n    import b\nfinally:\n    import c", {"b", "c"}, {"b", "c"}),
    ("def f():\n    try:\n        import b\n    except ImportError:\n        pass", {"b"}, set()),
    ("with suppress(ImportError):\n    import b", {"b"}, set()),
    ("if TYPE_CHECKING:\n    import b\nelse:\n    import c", {"c"}, {"c"}),
    ("if t.TYPE_CHECKING:\n    from a import b", set(), set()),
    ("if not TYPE_CHECKING:\n    import b\nelse:\n    import c", {"b"}, {"b"}),
    ("if TYPE_CHECKING or not install():\n    import b", {"b"}, set()),
    ("class A:\n    @cached_property\n    def f(self):\n        import b", set(), set()),
    ("'import a'\n# import b\n", set(), set()),
    ("import", set(), set()),
]
if sys.version_info >= (3, 15):
    IMPORT_STATEMENTS += [
        ("lazy import b", {"b"}, set()),
        ("lazy from a import b\nimport c", {"a.b", "c"}, {"c"}),
    ]


def read(source, *, is_package=False, is_own=False, module="pkg.mod"):
    return read_module_imports(source.encode(), module, is_package, is_own)


def join(pairs):
    return {".".join(filter(None, pair)) for pair in pairs}


@pytest.mark.parametrize(("source", "imports", "required"), IMPORT_STATEMENTS)
def test_import_statements(source, imports, required):
    found = read(source)
    assert join([*found[EAGER], *found[TRIED], *found[INNER]]) == imports
    is_later = "def " in source or " or " in source
    assert join(found[EAGER]) == (set() if is_later else imports)
    assert join(found[INNER]) == (imports if is_later and "try" not in source else set())
    assert join(found[REQUIRED]) == required


def test_conditions_with_many_clauses():
    """Generated code has them, and Python compiles them."""
    clauses = "".join(f"elif x == {number}:\n    import b{number}\n" for number in range(2000))
    found = read(f"if x:\n    import a\n{clauses}else:\n    import c\n")
    assert join(found[EAGER]) == {"a", "c", *(f"b{number}" for number in range(2000))}
    assert not found[REQUIRED]


def test_relative_imports_of_a_package():
    assert join(read("from .b import c", is_package=True, module="pkg")[EAGER]) == {"pkg.b.c"}


def test_attributes_that_a_module_imports_on_use():
    typed = "if TYPE_CHECKING:\n    from .a import A\n    import far.b as B\n"
    table = "_MODULES = {'C': '.c', 'D': ('pkg.d', 'D')}\n"
    source = f"{typed}{table}def __getattr__(name):\n    from . import hidden\n"
    found = read(source, is_package=True, module="pkg")
    assert found[EAGER] == found[TRIED] == found[INNER] == []
    assert join(found[LAZY]["A"]) == {"pkg.a.A"}
    assert join(found[LAZY]["B"]) == {"far.b"}
    assert {"pkg.c"} <= join(found[LAZY]["C"])
    assert {"pkg.d"} <= join(found[LAZY]["D"])
    assert join(found[LAZY]["hidden"]) == {"pkg.hidden"}
    assert read(typed)[LAZY] is None


def test_modules_in_strings():
    source = """
    use("uvicorn.loops.auto:setup")
    settings = "shop.settings"
    def load(name):
        import_module("far.away"), import_module(".near", __package__), import_module(name)
        importlib.import_module(f"far.backends._{name}")
    def __getattr__(name):
        return import_module(".hidden", __name__)
    """.replace("\n    ", "\n")
    named = {"far.away", "pkg.near", "uvicorn.loops.auto"}
    found = read(source)
    assert set(found[NAMED]) == named
    assert found[PREFIXES] == ["far.backends._"]
    assert set(read(source, is_own=True)[NAMED]) == {*named, "shop.settings"}
