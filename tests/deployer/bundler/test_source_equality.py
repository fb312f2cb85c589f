"""What works from source works from the bundle, after the source is gone.

One project has a tool for each kind of file that a bundle could lack. Each tool is called from
source and from the moved bundle.
"""

import json
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.deployer.bundler.test_projects import run_uv, serve_from_source
from tests.deployer.bundler.wheelhouse import write_wheel
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

INDEX = """\
import importlib
import logging.config
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import shop
import stubbed
from mastra_core import Mastra, tool

if TYPE_CHECKING:
    import types_only

HOME = Path(shop.__file__).parent
ROOT = Path(__file__).parents[2]
sys.path.append(str(HOME / "gen"))

try:
    import not_installed
except ImportError:
    not_installed = None


def lazy():
    import httpx
    return httpx.URL("http://a.b/c").host


def by_name():
    return importlib.import_module("click.utils").__name__


def by_string():
    logging.config.dictConfig({"version": 1, "handlers": {"x": {"class": "rich.logging.RichHandler"}}})
    return "configured"


def test_client():
    from litestar.testing import TestClient
    return TestClient.__name__


def stub():
    return stubbed.STUB


def stub_tree():
    import checker
    return checker.find("os") + " " + checker.find_beside("stubbed")


def header():
    import foreign
    return foreign.HEADER


def dependency_tests():
    from kit.tests.helper import run
    return run()


def own_tests_of_a_dependency():
    import toolkit
    return toolkit.run()


def undeclared():
    import careless
    return careless.run()


def program():
    import binary
    return subprocess.run([binary.find()], capture_output=True, text=True).stdout.strip()


def compiled():
    import sealed
    return sealed.VALUE


def world():
    from shop.env.world import go
    return go()


def plan():
    from shop.build import plan
    return plan.go()


def page():
    return (HOME / "dist" / "page.html").read_text()


def golden():
    from shop.tests import golden
    return golden.read()


def check():
    return importlib.import_module("shop.test.checks").go()


def site():
    from env import site
    return site.NAME


def proto():
    import thing_pb2
    return thing_pb2.VALUE


def association():
    return (HOME / ".well-known" / "app.json").read_text()


def prompt():
    return (ROOT / "prompts" / "system.md").read_text()


def template():
    return Path(f"{ROOT}/templates/page.html").read_text()


def stylesheet():
    return (ROOT / "static" / "css" / "site.css").read_text()


def translation(language: str = "de"):
    return (ROOT / "locale" / language / "words.po").read_text()


def open_what_does_not_ship():
    open("data/words.json").read()
    (ROOT / "keys" / "sign.pem").read_bytes()
    (ROOT / ".env").read_text()
    (ROOT / "shop.db").read_bytes()
    (ROOT / "logs").mkdir()
    (ROOT / "src/shop/sub" / "tests" / "case.txt").read_text()


def never_called():
    import jobs_only
    import no_such_package.inner
    import opentelemetry.no_such_portion
    from shared import words
    from shop.dev import seed


TOOLS = [lazy, by_name, by_string, test_client, stub, stub_tree, header, dependency_tests,
         own_tests_of_a_dependency, undeclared, program, compiled, world, plan, page, golden, check,
         site, proto, association, prompt, template, stylesheet, translation]
mastra = Mastra(tools={item.__name__: tool(item) for item in TOOLS}, logger=False)
"""
FILES = {
    "src/mastra/index.py": INDEX,
    "src/shop/__init__.py": "",
    "src/shop/env/__init__.py": "",
    "src/shop/env/world.py": "def go(): return 'world'",
    "src/shop/build/__init__.py": "",
    "src/shop/build/plan.py": "def go(): return 'plan'",
    "src/shop/dist/page.html": "<p>page</p>",
    "src/shop/tests/__init__.py": "",
    "src/shop/tests/golden.py": "from pathlib import Path\n"
    "def read(): return Path(__file__).with_name('golden.txt').read_text()\n",
    "src/shop/tests/golden.txt": "gold",
    "src/shop/tests/test_golden.py": "import nothing_installed",
    "src/shop/test/checks.py": "def go(): return 'checked'",
    "src/shop/sub/tests/test_sub.py": "import nothing_installed",
    "src/shop/gen/thing_pb2.py": "VALUE = 7",
    "src/shop/dev/__init__.py": "",
    "src/shop/dev/seed.py": "",
    "src/shop/.well-known/app.json": "{}",
    "src/shop/old-venv/pyvenv.cfg": "",
    "src/shop/old-venv/lib/x.py": "",
    "src/env/__init__.py": "",
    "src/env/site.py": "NAME = 'site'",
    "src/build/lib/shop/__init__.py": "word = 'build'",
    "src/dist/app.py": "",
    "src/tests/__init__.py": "",
    "src/shop/sub/tests/case.txt": "",
    "prompts/system.md": "be kind",
    "templates/page.html": "<p>",
    "static/css/site.css": "p {}",
    "static/.well-known/app.json": "{}",
    "static/.hidden": "",
    "static/local.sqlite3": "",
    "static/id_rsa": "",
    "locale/de/words.po": "Wort",
    "data/words.json": "{}",
    "data/more.json": "{}",
    "keys/sign.pem": "",
    "notes/plan.md": "",
    "public/index.html": "",
    ".env": "TOKEN=1",
    "shop.db": "",
}
CONFIG = """
[dependency-groups]
dev = ["jobs-only>=1"]

[tool.mastra.build]
exclude = ["src/shop/dev/*"]
"""
EXPLAINED = {
    "prompts/system.md": "prompts/system.md ships: it is in 'prompts', which src/mastra/index.py:",
    "static": "static/ ships with 2 files",
    "static/id_rsa": "static/id_rsa does not ship: it may be a secret or a database.",
    "notes/plan.md": "notes/plan.md does not ship: it is outside of the packages that the entry "
    "reaches, and no code in the bundle names it. To ship it: [tool.mastra.build] include = "
    '["notes/plan.md"].',
    "data": "data/ does not ship: src/mastra/index.py:",
    "public/index.html": "public/index.html does not ship: it is outside of the packages",
    ".env": ".env does not ship: it may be a secret or a database.",
    "no/such.html": "The project has no file no/such.html",
    "src/shop/dev/seed.py": "src/shop/dev/seed.py does not ship: [tool.mastra.build] exclude",
}
STUB_READER = """\
from pathlib import Path
STUB = Path(__file__).with_suffix(".pyi").read_text().strip()
"""
CHECKER = """\
from pathlib import Path
HERE = Path(__file__).parent
def find(name): return (HERE / "typeshed" / f"{name}.pyi").read_text().strip()
def find_beside(name): return (HERE.parent / name / "other.pyi").read_text().strip()
"""
BINARY = """\
import os, sysconfig
def find():
    folders = [sysconfig.get_path("scripts"), os.path.dirname(os.path.dirname(__file__)) + "/bin"]
    paths = [os.path.join(folder, "binary-tool") for folder in folders]
    return next(path for path in paths if os.path.exists(path))
"""


def compile_source(source, tmp_path):
    import py_compile

    path = tmp_path / "sealed.py"
    path.write_text(source)
    compiled = py_compile.compile(str(path), cfile=str(tmp_path / "sealed.pyc"))
    return Path(compiled).read_bytes().decode("utf-8", "surrogateescape")


def write_wheels(house, tmp_path):
    script = "equality_of_binary-1.data/scripts/binary-tool"
    wheels = {
        "stubbed": {
            "stubbed/__init__.py": STUB_READER,
            "stubbed/__init__.pyi": "STUB: str",
            "stubbed/other.pyi": "other: str",
        },
        "checker": {"checker/__init__.py": CHECKER, "checker/typeshed/os.pyi": "import sys"},
        "foreign": {
            "foreign/__init__.py": "from pathlib import Path\n"
            "HEADER = (Path(__file__).parent / 'include/foreign.h').read_text()\n",
            "foreign/include/foreign.h": "#define FOREIGN",
        },
        "kit": {
            "kit/__init__.py": "",
            "kit/tests/__init__.py": "",
            "kit/tests/helper.py": "def run(): return 'helped'",
            "kit/tests/tests/test_helper.py": "",
        },
        "toolkit": {
            "toolkit/__init__.py": "from .test import run\n",
            "toolkit/test/__init__.py": "from toolkit.sub.tests import name\n"
            "def run(): return name\n",
            "toolkit/sub/__init__.py": "",
            "toolkit/sub/tests/__init__.py": "name = 'nested'",
        },
        "careless": {
            "careless/__init__.py": "def run():\n    from polyfactory import __name__ as n\n"
            "    return n\n",
        },
        "binary": {"binary/__init__.py": BINARY, script: "#!/bin/sh\necho binary runs\n"},
        "sealed": {"sealed.pyc": compile_source("VALUE = 'sealed'", tmp_path)},
    }
    for name, files in wheels.items():
        write_wheel(house, f"equality-of-{name}", files)
    return [f"equality-of-{name}==1" for name in wheels]  # no index has these names


@pytest.fixture(scope="module")
def answers(tmp_path_factory, mastra, serve_directory):
    """Answers from source and from the bundle, the problems, and what shipped."""
    tmp_path = tmp_path_factory.mktemp("equality")
    house = tmp_path / "wheels"
    names = write_wheels(house, tmp_path)
    shared = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*", "libs/*"]\n',
        "libs/shared/pyproject.toml": '[project]\nname = "shared-words"\nversion = "0"\n',
        "libs/shared/src/shared/words.py": "",
    }
    workspace = write_project(tmp_path / "work", shared)
    root = write_project(workspace / "apps/shop", FILES, CONFIG, ("mastra-core", *names))
    here = {"UV_FIND_LINKS": str(house)}
    environment = tmp_path / "venv"
    run_uv("venv", "--quiet", "--python", sys.executable, environment)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "base.pth").write_text(sysconfig.get_path("purelib"))
    run_uv("pip", "install", "--quiet", "--python", environment, "--no-deps", *house.iterdir())
    with serve_from_source(root, "mastra.index:mastra", environment) as client:
        from_source = call_tools(client)
    built = mastra("check", "--json", cwd=root, VIRTUAL_ENV=str(environment), **here).ok()
    made = mastra("build", "--json", cwd=root, VIRTUAL_ENV=str(environment), **here).ok()
    asked = [part for name in EXPLAINED for part in ("--explain", name)]
    explained = mastra("build", *asked, "--json", cwd=root, VIRTUAL_ENV=str(environment), **here)
    bundle = tmp_path / "elsewhere"
    (root / ".mastra").rename(bundle)
    shutil.rmtree(workspace)
    shutil.rmtree(environment)
    with serve_directory(bundle) as client:
        from_bundle = call_tools(client)
    return {
        "source": from_source,
        "bundle": from_bundle,
        "problems": built.json["problems"],
        "notes": made.json["notes"],
        "left out": made.json["left_out"],
        "explained": explained.ok().json["explained"],
        "files": {path.relative_to(bundle).as_posix() for path in bundle.rglob("*")},
    }


def call_tools(client):
    names = client.get("/api/tools").json()
    return {
        name: client.post(f"/api/tools/{name}/execute", json={"data": {}}).text for name in names
    }


def test_each_tool_answers_as_from_source(answers):
    assert len(answers["source"]) == INDEX.count("\n\n\ndef ") - 2
    assert not [text for text in answers["source"].values() if "error" in text.lower()]
    assert answers["bundle"] == answers["source"]


def test_what_no_code_uses_does_not_ship(answers):
    app = {name for name in answers["files"] if name.startswith("app/src")}
    assert not {"app/src/build", "app/src/dist", "app/src/tests", "app/src/shop/old-venv"} & app
    assert not {"app/src/shop/sub/tests", "app/src/shop/tests/test_golden.py"} & app
    assert "vendor/kit/tests/tests" not in answers["files"]
    assert {"faker", "pygments"} & answers["files"] == set()


def test_each_import_that_nothing_answers_is_a_warning(answers):
    found = {
        item["message"].split("'")[1]: item
        for item in answers["problems"]
        if "is imported" in item["message"]
    }
    assert found.keys() == {
        "jobs_only",
        "no_such_package",
        "opentelemetry.no_such_portion",
        "shared",
        "shop.dev.seed",
    }
    assert {item["severity"] for item in found.values()} == {"warning"}
    assert all(item["where"].startswith("src/mastra/index.py:") for item in found.values())
    assert 'groups = ["dev"]' in found["jobs_only"]["hint"]
    assert "Add the package that provides 'no_such_package'" in found["no_such_package"]["hint"]
    assert "uv add shared-words" in found["shared"]["hint"]
    assert "exclude" in found["shop.dev.seed"]["message"] + found["shop.dev.seed"]["hint"]
    assert json.dumps(answers["notes"]).count("is not in the bundle") == len(found)


def test_each_file_that_code_names_ships_or_is_a_warning(answers):
    found = {item["message"]: item for item in answers["problems"]}
    missing = {
        message.split("'")[1]: item["hint"]
        for message, item in found.items()
        if "which does not ship" in message
    }
    assert missing == {
        "data/words.json": 'Add the file: [tool.mastra.build] include = ["data/words.json"].',
        "keys/sign.pem": "A bundle must contain no keys. Pass the content in an environment variable.",
        "src/shop/sub/tests/case.txt": "Add the file: [tool.mastra.build] include = "
        '["src/shop/sub/tests/case.txt"].',
    }
    relative = [item for message, item in found.items() if "working directory" in message]
    assert [item["hint"] for item in relative] == [
        'Write the path relative to the file: Path(__file__).parents[2] / "data/words.json".'
    ]
    static = {name for name in answers["files"] if name.startswith("app/static/")}
    assert {name for name in static if "." in name.rpartition("/")[2]} == {
        "app/static/.well-known",
        "app/static/.well-known/app.json",
        "app/static/css/site.css",
    }
    assert not {"app/public", "app/notes", "app/.env", "app/shop.db"} & answers["files"]


def test_explain_tells_what_happened_to_a_file(answers):
    lines = answers["explained"]
    assert len(lines) == len(EXPLAINED), lines
    for line, beginning in zip(lines, EXPLAINED.values(), strict=True):
        assert line.startswith(beginning), line
