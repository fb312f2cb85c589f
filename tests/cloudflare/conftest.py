"""A bundle of `worker_app.py`, and its preview."""

from pathlib import Path

import pytest

from tests.cloudflare.worker_preview import bundle_once, require_pyodide, run_preview

_APP = Path(__file__).with_name("worker_app.py")
_CONFIG = """
[tool.mastra.env]
required = ["SECRET_WORD"]
optional = ["FAILED_STARTS"]

[tool.mastra.targets.cloudflare]
project_name = "shop"
crons = ["*/5 * * * *"]
vars = { GREETING = "hullo" }
"""


@pytest.fixture(scope="session")
def pyodide():
    """Pyodide is in the cache."""
    require_pyodide()


@pytest.fixture(scope="session")
def worker_bundle(pyodide, tmp_path_factory):
    """A bundle of `worker_app.py`; its project is beside it."""
    files = {"main.py": _APP.read_text()}
    return bundle_once(
        tmp_path_factory, "worker", files, _CONFIG, "--app", "main:app", dependencies=("httpx",)
    )


@pytest.fixture(scope="module")
def preview(worker_bundle):
    """The preview, whose first start fails."""
    with run_preview(worker_bundle, SECRET_WORD="sesame-4711", FAILED_STARTS="1") as it:
        yield it
