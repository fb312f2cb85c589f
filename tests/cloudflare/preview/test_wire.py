"""Mastra's client receives from a Worker what it receives from the original.

The guard of requests watches the event loop of Pyodide meanwhile.
"""

import json
from pathlib import Path

import pytest

from tests.cloudflare.worker_preview import bundle_once, link_wrangler, run_preview
from tests.node import install_packages
from tests.server import request_guard
from tests.server.wire import application
from tests.server.wire.compare import find_differences
from tests.server.wire.deliberate_differences import find_explanations
from tests.server.wire.driver import CLIENT, RECORDED, run_client

pytestmark = pytest.mark.slow

_MODULES = {
    "main.py": Path(__file__).parents[1] / "guarded_app.py",
    "application.py": Path(application.__file__),
    "request_guard.py": Path(request_guard.__file__),
}
_CONFIG = """
[tool.mastra.targets.cloudflare]
project_name = "wire"
d1 = { DB = "wire" }
"""
# No wheel of `mcp` and what it requires runs on Pyodide, so the app is no MCP server.
CALLS = {
    name: recorded
    for name, recorded in json.loads(RECORDED.read_text(encoding="utf-8")).items()
    if "mcp" not in name.lower()
}


@pytest.fixture(scope="module")
def preview(pyodide, tmp_path_factory):
    files = {name: path.read_text() for name, path in _MODULES.items()}
    dependencies = ("mastra-core[agents]", "mastra-server")
    bundle = bundle_once(
        tmp_path_factory, "wire", files, _CONFIG, "--app", "main:app", dependencies=dependencies
    )
    link_wrangler(bundle)
    with run_preview(bundle) as preview:
        yield preview


@pytest.fixture(scope="module")
def results(preview):
    return run_client(install_packages(CLIENT), preview.url)


@pytest.mark.parametrize("name", CALLS)
def test_call(results, preview, name):
    differences = find_differences(CALLS[name], results["calls"][name])
    strange = {
        path: text for path, text in differences.items() if not find_explanations(name, path)
    }
    assert strange == {}, (results["errors"].get(name), preview.output[-2000:])


def test_no_request_touches_what_belongs_to_another(results, preview):
    seen = preview.client.get("/breaches").json()
    assert seen["breaches"] == []
    assert seen["requests"] >= len(results["calls"]) >= len(CALLS)
    for _ in range(2):  # the guard does see breaches in Pyodide
        preview.client.get("/shared")
    (breach,) = preview.client.get("/breaches").json()["breaches"]
    assert " resolved a future of GET /shared " in breach
