"""Two instances of a Netlify function share durable runs in one PostgreSQL."""

import contextlib
from pathlib import Path

import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from mastra_deployer_netlify.preview.unpack_function import unpack_function
from tests.netlify.function_process import run_function
from tests.sample_projects import write_project
from tests.server.workflows import frozen_app
from tests.server.workflows.shared_runs import check_shared_runs

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.usefixtures("bootstrap")]
CONFIG = '[tool.mastra.env]\noptional = ["DATABASE"]\n'


@pytest.fixture
def directory(tmp_path, mastra):
    files = {"src/mastra/index.py": Path(frozen_app.__file__).read_text()}
    root = write_project(tmp_path / "app", files, CONFIG, ["mastra-core[postgres]"])
    mastra("bundle", "netlify", "-s", "project_name=shop", "-o", tmp_path / "out", cwd=root).ok()
    unpack_function(tmp_path / "out" / FUNCTIONS / "api.zip", tmp_path / "function")
    return tmp_path / "function"


def test_instances_share_runs(directory, tmp_path, postgres_url):
    environment = {"DATABASE": postgres_url, "AWS_LAMBDA_FUNCTION_NAME": "api"}
    with contextlib.ExitStack() as stack:
        instances = [
            stack.enter_context(run_function(directory, tmp_path / name, environment))
            for name in ("first", "second")
        ]
        check_shared_runs(*(each.client for each in instances))
