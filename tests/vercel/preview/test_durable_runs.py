"""Two instances of a function under Vercel's runtime share durable runs in one PostgreSQL."""

import contextlib
from pathlib import Path

import httpx
import pytest

from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
from tests.sample_projects import write_project
from tests.server.workflows import frozen_app
from tests.server.workflows.shared_runs import check_shared_runs

pytestmark = [pytest.mark.slow, pytest.mark.full]
CONFIG = '[tool.mastra.env]\noptional = ["DATABASE"]\n'


@pytest.fixture
def bundle(tmp_path, mastra):
    files = {"src/mastra/index.py": Path(frozen_app.__file__).read_text()}
    root = write_project(tmp_path / "app", files, CONFIG, ["mastra-core[postgres]"])
    options = ("-s", "project_name=shop", "--python", "3.12", "-o", tmp_path / "out")
    mastra("bundle", "vercel", *options, cwd=root).ok()
    return tmp_path / "out"


def test_instances_share_runs(bundle, find_python, postgres_url):
    (function,) = bundle.rglob("*.func")
    environment, python = {"DATABASE": postgres_url, "VERCEL": "1"}, find_python("3.12")
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(2):
            runtime = FunctionRuntime(function, python, environment, lambda _: None)
            url = f"http://127.0.0.1:{stack.enter_context(runtime).port}"
            client = httpx.Client(base_url=url, timeout=60, trust_env=False)
            clients.append(stack.enter_context(client))
        check_shared_runs(*clients)
