"""What importing loads: paid at every cold start, so held down here."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.sources import PACKAGES, ROOT, all_sources, shown, sources, tree

# What runs a server or a bundle has no use for these, and most are not even in it.
TOOLS = "pluggy rich uv httpx stamina tenacity dotenv packaging click mastra_deployer".split()
HEAVY = (
    "pydantic pydantic_ai opentelemetry asyncio importlib.metadata mastra_server litestar".split()
)

ARROWS = {
    "core": {"mastra_core"},
    "server": {"mastra_core", "mastra_server"},
    "deployer": {"mastra_core", "mastra_deployer"},
}


def loaded(script):
    """The modules that are there after a script, and were not before."""
    told = "; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script + told],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "examples" / "mastra-deployer-acme",
    )
    assert done.returncode == 0, done.stderr
    nothing = subprocess.run(
        [sys.executable, "-c", told[2:]], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout)) - set(json.loads(nothing.stdout))


def test_core_loads_next_to_nothing():
    assert loaded("import mastra_core").isdisjoint([*TOOLS, *HEAVY])


def test_types_for_checkers_are_not_loaded():
    added = loaded("import mastra_core")
    assert added.isdisjoint(
        ["mastra_core.agents.options", "mastra_core.workflows.model.signatures"]
    )


def test_an_application_loads_no_framework_before_it_runs():
    script = """
from mastra_core import Agent, Mastra, Telemetry, Workflow, create_logger, step, tool

@tool
def add(a: int, b: int) -> int:
    return a + b

async def echo(text: str) -> str:
    return text

mastra = Mastra(
    agents={"echo": echo, "helper": Agent(name="helper", model="openai:gpt-5", tools=[add])},
    workflows={"flow": Workflow("flow").then(step(lambda: 1))},
    tools={"add": add},
    logger=create_logger(),
    telemetry=Telemetry(),
)
mastra.agents["helper"].info()
from mastra_core.describe import describe
describe(mastra)"""
    assert loaded(script).isdisjoint([*TOOLS, *HEAVY])


def test_the_server_loads_no_tool_and_no_framework():
    """Litestar itself loads asyncio, metadata and yaml; the law is about what we add."""
    script = """
from mastra_core import Mastra, Workflow, step
from mastra_server import create_app

async def echo(text: str) -> str:
    return text

async def pass_on(request, next):
    return await next(request)

create_app(
    Mastra(
        agents={"echo": echo},
        workflows={"flow": Workflow("flow").then(step(lambda: 1))},
        server_middleware=[pass_on],
        logger=False,
    )
)"""
    allowed = {"opentelemetry", "asyncio", "importlib.metadata", "mastra_server", "litestar"}
    added = loaded(script)
    assert added.isdisjoint(TOOLS)
    assert added.isdisjoint(set(HEAVY) - allowed)
    assert not [name for name in added if name.startswith("opentelemetry.sdk")]


def test_the_name_of_the_server_costs_no_litestar():
    assert loaded("import mastra_server, mastra_server.target").isdisjoint(
        ["litestar", "mastra_deployer", "rich", "uv", "httpx"]
    )


SETTINGS = {
    "mastra_deployer_cloudflare": "CloudflareDeployer(project_name='shop')",
    "mastra_deployer_netlify": "NetlifyDeployer(project_name='shop')",
    "mastra_deployer_oci": "OciDeployer(image='registry.example/shop')",
    "mastra_deployer_vercel": "VercelDeployer(project_name='shop')",
    "mastra_deployer_acme": "AcmeDeployer(app='shop')",
}


def test_the_settings_of_every_deployer_are_tried():
    assert {PACKAGES[name].name for name in set(PACKAGES) - set(ARROWS)} < set(SETTINGS)


@pytest.mark.parametrize("package", sorted(SETTINGS))
def test_a_settings_class_loads_core_and_nothing_else(package):
    call = SETTINGS[package]
    name = call.partition("(")[0]
    _check_settings(package, loaded(f"from {package} import {name}; {call}"))


def test_the_settings_class_of_the_template_loads_core_and_nothing_else(tmp_path):
    mastra = Path(sys.executable).with_name("mastra")
    subprocess.run([mastra, "new", "deployer", "fly-io"], cwd=tmp_path, check=True)
    source = tmp_path / "mastra-deployer-fly-io" / "src"
    script = f"import sys; sys.path.insert(0, {str(source)!r})\n"
    script += "from mastra_deployer_fly_io import FlyIoDeployer; FlyIoDeployer(app='shop')"
    _check_settings("mastra_deployer_fly_io", loaded(script))


def _check_settings(package, added):
    ours = {"mastra_core", package}
    standard = set(sys.stdlib_module_names)
    others = {name for name in added if name.partition(".")[0] not in ours | standard}
    allowed = {"msgspec", "opentelemetry", "typing_extensions"}
    assert {name.partition(".")[0] for name in others} <= allowed, sorted(others)
    assert added.isdisjoint(set(HEAVY) - {"opentelemetry"})


def imported(path):
    """Every module a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_arrows_point_to_core(package):
    allowed = ARROWS.get(package, {"mastra_core", "mastra_deployer", PACKAGES[package].name})
    for path in sources(package):
        ours = {name.partition(".")[0] for name in imported(path) if name.startswith("mastra_")}
        assert ours <= allowed, f"{shown(path)} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_deployers_that_are_no_host_use_only_its_public_part(package):
    if package in ARROWS:
        pytest.skip("not a deployer's package")
    public = ("mastra_deployer.kit", "mastra_deployer.testing")
    for path in sources(package):
        for name in imported(path):
            assert not name.startswith("mastra_deployer.") or name.startswith(public), shown(path)


def test_no_relative_imports():
    for path in all_sources():
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.ImportFrom) and node.level), shown(path)
