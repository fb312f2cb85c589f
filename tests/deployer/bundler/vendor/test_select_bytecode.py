"""Which modules of a bundle have bytecode: the same ones, whatever was built before."""

import os
import shutil
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.deployer.bundler.wheelhouse import write_wheel
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

INDEX = """\
from mastra_core import Mastra
from kit.used import run

async def echo(text: str):
    from kit import later
    if text == "run":
        run()
    yield text

mastra = Mastra(agents={"echo": echo}, logger=False)
"""
KIT = {
    "kit/__init__.py": "",
    "kit/used.py": "try:\n    from kit import fails\nexcept ImportError:\n    pass\n"
    "def run():\n    from kit import inner\n",
    "kit/later.py": "",
    "kit/inner.py": "",
    "kit/fails.py": "import not_there\n",
    "kit/unused.py": "VALUE = 1\n",
    "kit/syntax.py": "a b\n",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = tmp_path_factory.mktemp("bytecode") / "house"
    write_wheel(house, "kit", KIT)
    return house


@pytest.fixture(scope="module")
def app(house, mastra):
    """A project that is built, and the output of the build."""
    config = f'[tool.uv]\nfind-links = ["{house}"]\n'
    root = write_project(
        house.parent / "app", {"src/mastra/index.py": INDEX}, config, ("mastra-core", "kit")
    )
    result = mastra("build", cwd=root).ok()
    return root, result


def list_compiled(root, pattern="vendor/kit/__pycache__"):
    tag = f".{sys.implementation.cache_tag}.pyc"
    return {path.name.removesuffix(tag) for path in (root / ".mastra").glob(f"{pattern}/*{tag}")}


def test_what_the_app_imports_has_bytecode(app):
    root, result = app
    assert list_compiled(root) == {"__init__", "used", "later", "fails"}
    assert "those that the app imports" in " ".join(result.out.split())
    assert "mastra_asgi" in list_compiled(root, "app/src/__pycache__")


def test_every_module_that_the_start_imports_has_bytecode(app, serve_directory):
    """A bundle starts as well if no module without bytecode can be imported."""
    root, _ = app
    copy = shutil.copytree(root / ".mastra", root.parent / "compiled", dirs_exist_ok=True)
    for file in (copy / "vendor").rglob("*.py"):
        if not Path(cache_from_source(file)).exists():
            file.unlink()
            file.write_text("raise AssertionError(__file__)")
    with serve_directory(copy) as client:
        answer = client.post("/api/agents/echo/generate", json={"messages": "hi"})
    assert answer.json()["text"] == "hi", answer.text


def test_a_module_without_bytecode_is_imported_on_use(app, serve_directory):
    """Its source ships; the bundle stays as it is."""
    root, _ = app
    assert (root / ".mastra/vendor/kit/inner.py").is_file()
    with serve_directory(root / ".mastra") as client:
        answer = client.post("/api/agents/echo/generate", json={"messages": "run"})
    assert answer.json()["text"] == "run", answer.text
    assert "inner" not in list_compiled(root)


def test_features_that_the_app_does_not_use_have_no_bytecode(app):
    """Import statements lead to all of them, but only in functions."""
    packages = ("mcp", "workflows/durable", "storage/postgres", "telemetry", "durable_agents")
    compiled = {
        name: len(list_compiled(app[0], f"vendor/mastra_core/{name}/__pycache__"))
        for name in packages
    }
    assert compiled["mcp"] == compiled["workflows/durable"] == compiled["storage/postgres"] == 0
    assert compiled["durable_agents"] == 0
    assert "telemetry" in list_compiled(app[0], "vendor/mastra_core/telemetry/__pycache__")
    assert "exporters" not in list_compiled(app[0], "vendor/mastra_core/telemetry/__pycache__")
    assert "interpreter" in list_compiled(app[0], "vendor/mastra_core/workflows/engine/__pycache__")
    assert "loader" not in list_compiled(app[0], "vendor/yaml/__pycache__")


def test_the_modules_of_a_used_feature_have_bytecode(house, mastra):
    """The run database is opened at the first run, after the start in isolation."""
    source = (
        "from mastra_core import Mastra, Workflow, step\n"
        "@step\ndef double(number: int) -> int:\n    return 2 * number\n"
        "mastra = Mastra(workflows={'double': Workflow('double').then(double)},"
        " engine='durable', logger=False)\n"
    )
    root = write_project(house.parent / "durable", {"src/mastra/index.py": source})
    mastra("build", cwd=root).ok()
    durable = list_compiled(root, "vendor/mastra_core/workflows/durable/**/__pycache__")
    assert {"durable_engine", "sqlite_run_store", "sql_run_store", "dispatcher"} <= durable
    assert not list_compiled(root, "vendor/mastra_core/mcp/__pycache__")


@pytest.mark.full
def test_the_selection_does_not_depend_on_the_cache(app, house, mastra):
    """Another app has compiled other modules of the same wheel."""
    assert list_compiled(app[0])
    other = write_project(
        house.parent / "other",
        {"src/mastra/index.py": INDEX.replace("kit.used", "kit.unused").replace("run", "VALUE")},
        f'[tool.uv]\nfind-links = ["{house}"]\n',
        ("mastra-core", "kit"),
    )
    mastra("build", cwd=other).ok()
    assert list_compiled(other) == {"__init__", "later", "unused"}
    assert "Reproducible" in mastra("build", "--check-reproducible", cwd=other).ok().out


def test_explanation_of_a_module_without_bytecode(app, mastra):
    root, _ = app
    text = mastra("build", "--explain", "kit.unused", "--explain", "kit.used", cwd=root).ok().out
    words = " ".join(text.split())
    assert "kit/unused.py of kit 1. It has no bytecode" in words
    assert "kit/used.py of kit 1. kit" not in words and words.count("no bytecode") == 1


@pytest.mark.parametrize("mode", ["all", "none"])
def test_modes(app, mastra, mode):
    root, _ = app
    pyproject, before = root / "pyproject.toml", (root / "pyproject.toml").read_text()
    pyproject.write_text(f'{before}[tool.mastra.build]\nbytecode = "{mode}"\n')
    try:
        result = mastra("build", cwd=root).ok()
    finally:
        pyproject.write_text(before)
    wanted = {"__init__", "used", "later", "inner", "unused", "fails"} if mode == "all" else set()
    assert list_compiled(root) == wanted
    assert bool(list_compiled(root, "app/src/__pycache__")) is (mode == "all")
    assert "those that the app imports" not in result.out


def test_an_unknown_mode_is_refused(app, mastra):
    root, _ = app
    pyproject, before = root / "pyproject.toml", (root / "pyproject.toml").read_text()
    pyproject.write_text(f'{before}[tool.mastra.build]\nbytecode = "some"\n')
    try:
        mastra("build", cwd=root).failed(2, "bytecode", "some")
    finally:
        pyproject.write_text(before)


COMPUTED = """\
import importlib

for number in range(3):
    importlib.import_module("many.module_" + str(number))

async def app(scope, receive, send):
    importlib.import_module("many.request_" + str(number))
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""


@pytest.fixture(scope="module")
def computed(house, mastra):
    """A project whose app computes the names of modules; it is built."""
    names = ["__init__", *(f"{kind}_{n}" for kind in ("module", "request") for n in range(4))]
    write_wheel(house, "many", {f"many/{name}.py": "" for name in names})
    config = f'[tool.uv]\nfind-links = ["{house}"]\n[tool.mastra]\nentry = "main:app"\n'
    root = write_project(house.parent / "many", {"main.py": COMPUTED}, config, ("many",))
    mastra("build", cwd=root).ok()
    return root


def list_computed(root):
    return list_compiled(root, "vendor/many/__pycache__")


def test_modules_whose_names_the_app_computes_have_bytecode(computed, mastra):
    imported = {"module_0", "module_1", "module_2", "request_2"}
    assert list_computed(computed) == {"__init__", *imported}
    text = mastra("build", "--explain", "many.request_2", cwd=computed).ok().out
    assert "no bytecode" not in " ".join(text.split())
    assert "Reproducible" in mastra("build", "--check-reproducible", cwd=computed).ok().out


def test_bytecode_of_an_earlier_start_does_not_stay(computed, mastra):
    """A build reuses the dependencies of the last but one bundle."""
    first = (computed / ".mastra/vendor/many").stat().st_ino
    for number in (2, 1):
        (computed / "main.py").write_text(COMPUTED.replace("range(3)", f"range({number})"))
        mastra("build", cwd=computed).ok()
    assert list_computed(computed) == {"__init__", "module_0", "request_0"}
    assert (computed / ".mastra/vendor/many").stat().st_ino == first


def test_damaged_bytecode_of_a_start_is_compiled_again(computed, mastra):
    mastra("build", cwd=computed).ok()
    bundled = next((computed / ".mastra/vendor/many/__pycache__").glob("module_0.*"))
    content = bundled.read_bytes()
    cache = Path(os.environ["MASTRA_CACHE_DIR"])
    for stored in cache.glob(f"bytecode/*/files/many/__pycache__/{bundled.name}"):
        stored.unlink()  # the bundle has a link to the file
        stored.write_bytes(b"damaged")
    shutil.rmtree(computed / ".mastra")
    mastra("build", cwd=computed).ok()
    assert bundled.read_bytes() == content
