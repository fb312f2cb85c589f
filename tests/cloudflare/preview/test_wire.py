"""Mastra's client receives from a Worker what it receives from the original."""

import json
from pathlib import Path

import pytest

from tests.cloudflare.worker_preview import bundle_once, link_wrangler, run_preview
from tests.node import install_packages
from tests.server.wire import application
from tests.server.wire.compare import find_differences
from tests.server.wire.deliberate_differences import find_explanations
from tests.server.wire.driver import CLIENT, RECORDED, run_client

pytestmark = pytest.mark.slow

_ENTRY = """
mastra = create_application(storage="d1:DB")
"""
_CONFIG = """
[tool.mastra.check]
ignore = ["approveWorkflow"]

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
def results(pyodide, tmp_path_factory):
    files = {"src/mastra/index.py": Path(application.__file__).read_text() + _ENTRY}
    bundle = bundle_once(
        tmp_path_factory, "wire", files, _CONFIG, dependencies=("mastra-core[agents]",)
    )
    link_wrangler(bundle)
    with run_preview(bundle) as preview:
        yield run_client(install_packages(CLIENT), preview.url)


@pytest.mark.parametrize("name", CALLS)
def test_call(results, name):
    differences = find_differences(CALLS[name], results["calls"][name])
    assert {
        path: text for path, text in differences.items() if not find_explanations(name, path)
    } == {}
