"""Which modules of a bundle are reached from its roots."""

from mastra_deployer.bytecode.import_graph_child import ModuleIndex, Walk, find_broken
from mastra_deployer.bytecode.module_imports_child import read_module_imports

SOURCES = {
    "app": "import kit.a\nfrom lazy import Thing\nfrom portion.inner import x",
    "kit": "",
    "kit.a": "def f():\n    import kit.b, kit.fails",
    "kit.b": "import json\ntry:\n    import kit.tried\nexcept ImportError: ...\nimport_module(f'kit.drivers.{name}')",
    "kit.c": "",
    "kit.drivers": "",
    "kit.drivers.one": "",
    "kit.drivers.two": "import not_there",
    "kit.fails": "from kit import also_fails",
    "kit.also_fails": "from portion import missing\nimport kit.c",
    "kit.tried": "import kit.before, not_there\ndef f():\n    import kit.c",
    "kit.before": "",
    "lazy": "if TYPE_CHECKING:\n    from lazy.thing import Thing\n    from lazy.other import Other\n"
    "def __getattr__(name): ...",
    "lazy.other": "",
    "lazy.thing": "from compiled import x\nimport six.moves.anything",
    "portion.inner": "",
    "six": "",
}
INDEX = ModuleIndex(SOURCES, {"compiled"}, frozenset({"json", "os"}))
IMPORTS = {
    name: read_module_imports(source.encode(), name, name in INDEX.packages, is_own=False)
    for name, source in SOURCES.items()
}


def test_modules_that_cannot_be_imported():
    assert find_broken(INDEX, IMPORTS) == {
        *("kit.also_fails", "kit.drivers.two", "kit.fails", "kit.tried")
    }


def test_what_is_reached():
    walk = Walk(INDEX, IMPORTS, find_broken(INDEX, IMPORTS))
    walk.add("app")
    assert walk.follow() == []
    assert walk.reached == {
        *("app", "kit", "kit.a", "kit.b", "kit.drivers", "kit.drivers.one"),
        *("kit.before", "kit.tried"),
        *("lazy", "lazy.thing", "portion.inner", "six"),
    }
    assert walk.standard == {"json"}


def test_a_walk_continues_when_more_is_known():
    known = {}
    walk = Walk(INDEX, known)
    walk.add("app")
    while unknown := walk.follow():
        known[unknown[0]] = IMPORTS[unknown[0]]
    whole = Walk(INDEX, IMPORTS)
    whole.add("app")
    whole.follow()
    assert walk.reached == whole.reached
