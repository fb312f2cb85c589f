"""Which modules of a bundle are reached from its roots."""

from mastra_deployer.bytecode.import_graph_child import (
    ModuleIndex,
    StartWalk,
    Walk,
    find_broken,
)
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


def test_a_name_of_thousands_of_parts_is_read():
    walk = Walk(INDEX, IMPORTS)
    walk.add(".".join(["kit", *["deep"] * 20_000]))
    assert walk.reached == {"kit"}


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


START_SOURCES = {
    "app.tool": "import later.thing\nfrom hub import Feature",
    "hub": "if x:\n    import hub.skipped\ndef f():\n    import hub.unused\n"
    "if TYPE_CHECKING:\n    from hub.feature import Feature\ndef __getattr__(name): ...",
    "hub.feature": "import hub.part\ndef f():\n    import hub.on_use\n"
    "    try:\n        import hub.tried\n    except ImportError: ...",
    "hub.on_use": "",
    "hub.part": "",
    "hub.skipped": "",
    "hub.tried": "import not_there",
    "hub.unused": "",
    "later": "",
    "later.thing": "import later.needed\ndef f():\n    import later.rare",
    "later.needed": "",
    "later.rare": "",
}


def test_what_a_start_and_its_first_requests_import():
    """Imports in functions count in features that are used, and nowhere else."""
    index = ModuleIndex(START_SOURCES, set(), frozenset())
    imports = {
        name: read_module_imports(source.encode(), name, name in index.packages, is_own=False)
        for name, source in START_SOURCES.items()
    }
    broken = find_broken(index, imports)
    walk = StartWalk(index, imports, broken, {"hub"}, lambda name: name == "hub.feature")
    walk.add_root("app.tool")
    walk.follow()
    assert walk.reached == {
        *("app.tool", "hub", "hub.feature", "hub.on_use", "hub.part", "hub.tried"),
        *("later", "later.thing", "later.needed"),
    }
