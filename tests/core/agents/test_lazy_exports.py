"""What importing an SDK loads of its types, in processes of their own."""

import json
import subprocess
import sys

import pytest

ENABLE = "from mastra_core.agents.lazy_exports import enable_lazy_exports; enable_lazy_exports()\n"
EXPORTS = """
import json, pkgutil, sys
from importlib import import_module
import {sdk}

def name(value):
    if hasattr(value, "__spec__"):
        return value.__name__
    return f"{{getattr(value, '__module__', '')}}.{{getattr(value, '__qualname__', repr(value))}}"

types = import_module("{sdk}.types")
found = {{}}
packages = [each.name for each in pkgutil.walk_packages(types.__path__, "{sdk}.types.") if each.ispkg]
for package in ["{sdk}.types", *packages]:
    module = import_module(package)
    found[package] = {{
        key: name(getattr(module, key))
        for key in dir(module)
        if not key.startswith("_") and key != "annotations"
    }}
json.dump([found, sorted(name for name in sys.modules if name.startswith("{sdk}.types."))], sys.stdout)
"""


def run(script, cwd=None):
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.full
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_every_name_is_that_of_the_usual_import(sdk):
    script = EXPORTS.format(sdk=sdk)
    usual, lazy = (json.loads(run(before + script))[0] for before in ("", ENABLE))
    assert lazy.keys() == usual.keys()
    for package, names in usual.items():
        assert names.items() <= lazy[package].items(), package


FILES = {
    "__init__.py": '"""Doc."""\nfrom __future__ import annotations\nfrom . import sub\n'
    "from .first import First as First, Other as Renamed\nfrom .inner import Deep\n",
    "first.py": "class First: pass\nclass Other: pass\n",
    "sub.py": "VALUE = 1\n",
    "unused.py": "VALUE = 2\n",
    "inner/__init__.py": "from ..first import First as Deep\n",
}


@pytest.fixture
def write(tmp_path):
    """Write a package ``openai.types``, and return a function that runs a script beside it."""

    def write_files(**changes):
        for path, text in {"../__init__.py": "", **FILES, **changes}.items():
            file = tmp_path / "openai" / "types" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return lambda script: run(
            f"{ENABLE}import sys\nimport openai.types as t\n{script}", tmp_path
        )

    return write_files


SHOW = 'print(sorted(n[13:] for n in sys.modules if n.startswith("openai.types.")))'


def test_a_module_is_imported_when_one_of_its_names_is_used(write):
    script = write()
    assert script(SHOW) == "[]\n"
    assert script(f"t.Renamed; {SHOW}") == "['first']\n"
    assert script(
        "print(t.Renamed, t.First is t.Deep, t.sub.VALUE, t.unused.VALUE, t.__doc__)"
    ) == ("<class 'openai.types.first.Other'> True 1 2 Doc.\n")
    assert script("from openai.types import *; print(Renamed.__name__, sub.VALUE)") == "Other 1\n"
    assert script("from openai.types import inner; print(inner.Deep.__name__)") == "First\n"
    assert script("print([n for n in dir(t) if n[0] != '_'])") == (
        "['Deep', 'First', 'Renamed', 'first', 'inner', 'sub', 'unused']\n"
    )


def test_a_missing_name_is_reported_as_usual(write):
    script = write()
    missing = "try: {}\nexcept {} as error: print(error)"
    assert script(missing.format("t.Missing", "AttributeError")) == (
        "module 'openai.types' has no attribute 'Missing'\n"
    )
    assert "cannot import name 'Missing' from 'openai.types'" in script(
        missing.format("from openai.types import Missing", "ImportError")
    )


@pytest.mark.parametrize(
    "text",
    [
        "from .first import First\ndef call(): return First\n",
        "from .first import *\n",
        "from .first import First\nnew = First()\n",
        "from .sub import VALUE as first\nfrom .first import First\n",
        "import openai.types.first\nfrom .first import First\n",
    ],
)
def test_a_package_with_anything_else_is_imported_as_usual(write, text):
    script = write(**{"__init__.py": text})
    assert script(f"{SHOW}; print(t.First.__name__)").endswith("First\n")
    assert "first" in script(SHOW)
    assert script("print(t.__dict__.get('__getattr__'))") == "None\n"


def test_an_error_in_a_package_is_reported_as_usual(write):
    write(**{"__init__.py": "from .nowhere import Name\n"})("print(t.__name__)")
    script = write(**{"__init__.py": "from .first import First\n1 / 0\n"})
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        script("pass")
