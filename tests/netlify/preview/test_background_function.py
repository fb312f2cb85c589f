"""The background function executes durable runs that take longer than a request."""

import contextlib
import os
import re
import shutil
import signal
import time
import uuid
from pathlib import Path

import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from mastra_deployer_netlify.preview.unpack_function import unpack_function
from tests.conftest import run_mastra
from tests.netlify.function_process import run_function
from tests.netlify.preview import background_app
from tests.netlify.preview.test_netlify_serve import serve
from tests.netlify.preview.test_preview import run_preview
from tests.node import find_node
from tests.sample_projects import write_project
from tests.server.workflows.shared_runs import post, read

pytestmark = [pytest.mark.slow, pytest.mark.full]
CONFIG = """
[tool.mastra.env]
optional = ["DATABASE"]

[tool.mastra.targets.netlify]
project_name = "shop"
background = true
"""
TIMEOUT = 15  # seconds of an invocation, of which the last 10 are for handing back runs


@pytest.fixture(scope="module")
def functions(bootstrap, tmp_path_factory):
    """The unpacked functions, by name."""
    base = tmp_path_factory.mktemp("background")
    files = {"src/mastra/index.py": Path(background_app.__file__).read_text()}
    root = write_project(base / "app", files, CONFIG, ["mastra-core[postgres]"])
    run_mastra("bundle", "netlify", "-o", base / "out", cwd=root).ok()
    for name in ("api", "api-background"):
        unpack_function(base / "out" / FUNCTIONS / f"{name}.zip", base / name)
    return base


@pytest.fixture
def api(functions, tmp_path, postgres_url):
    """The function that handles requests; `api.worker` is the background function."""
    environment = {"DATABASE": postgres_url, "AWS_LAMBDA_FUNCTION_NAME": "api"}
    with contextlib.ExitStack() as stack:

        def run(name, **settings):
            temporary = tmp_path / name
            instance = run_function(
                functions / name, temporary, environment, scheme="http", **settings
            )
            return stack.enter_context(instance)

        worker = run("api-background", timeout=TIMEOUT)
        instance = run("api", background=worker.client.base_url.port)
        instance.worker = worker
        yield instance


def start(instance, workflow):
    run_id = str(uuid.uuid4())
    post(instance.client, f"{workflow}/create-run", run_id)
    post(instance.client, f"{workflow}/start", run_id, inputData=0)
    return run_id


def wait_for_status(instance, workflow, run_id, *statuses):
    until = time.monotonic() + 60
    while (run := read(instance.client, workflow, run_id))["status"] not in statuses:
        assert time.monotonic() < until, run
        time.sleep(0.1)
    return run


def read_steps(instance):
    """Return the steps that have ended, with the process of each."""
    file = instance.temporary / "steps"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def test_the_worker_executes_a_run_that_no_client_waits_for(api):
    run_id = start(api, "idle")
    wait_for_status(api, "idle", run_id, "running")
    post(api.client, f"idle/runs/{run_id}/cancel", run_id)
    assert read(api.client, "idle", run_id)["status"] == "canceled"
    assert "x-mastra-background" not in api.client.get("/api/workflows/run-counts").headers


def test_a_run_continues_in_the_next_invocation(api):
    """The time of the function is over after about five of the eight steps."""
    run_id = start(api, "count")
    assert wait_for_status(api, "count", run_id, "success", "failed")["result"] == 8
    steps = read_steps(api.worker)
    assert [number for number, _ in steps] == [str(number) for number in range(8)]
    assert len({process for _, process in steps}) > 1
    assert read_steps(api) == [], "the worker has executed all steps"


def test_a_step_that_never_ends_in_time_fails(api):
    run_id = start(api, "idle")
    run = wait_for_status(api, "idle", run_id, "failed")
    assert "made no progress" in run["error"]["message"]


def test_a_run_of_a_killed_worker_is_continued(api):
    """Any later request for workflows finds the run, and calls the background function."""
    run_id = start(api, "count")
    until = time.monotonic() + 20
    while not (steps := read_steps(api.worker)):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(int(steps[0][1]), signal.SIGKILL)
    assert wait_for_status(api, "count", run_id, "success", "failed")["result"] == 8
    numbers = [number for number, _ in read_steps(api.worker)]
    assert sorted(set(numbers)) == [str(each) for each in range(8)]
    assert len(numbers) <= 9, "only the step that was killed is repeated"


def test_a_request_that_waits_executes_its_run_itself(api):
    run_id = str(uuid.uuid4())
    response = post(api.client, "count/start-async", run_id, inputData=0)
    assert response.json()["result"] == 8
    assert len(read_steps(api)) == 8 and read_steps(api.worker) == []


def test_netlify_serve_runs_the_background_function(functions, cli_script, tmp_path, postgres_url):
    """The route of the manifest leads to the background function, which responds at once."""
    variables = {"DATABASE": postgres_url, "AWS_LAMBDA_FUNCTION_NAME": "api"}
    root = Path(shutil.copytree(functions / "out", tmp_path / "site"))
    with serve(root, cli_script, {**variables, "TMPDIR": str(tmp_path)}) as client:
        run_id = str(uuid.uuid4())
        post(client, "count/create-run", run_id)
        path = f"/_background/api/workflows/count/start-async?runId={run_id}"
        response = client.post(path, json={"inputData": 0})
        assert (response.status_code, response.content) == (202, b"")
        until = time.monotonic() + 60
        while read(client, "count", run_id)["status"] != "success":
            assert time.monotonic() < until
            time.sleep(0.5)


def test_the_preview_runs_both_functions(functions, postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE", postgres_url)
    path = f"{Path(find_node()).parent}:{os.environ['PATH']}"
    with run_preview(functions / "out", path, tmp_path) as preview:
        client, run_id = preview.client, str(uuid.uuid4())
        post(client, "count/create-run", run_id)
        post(client, "count/start", run_id, inputData=0)
        assert read(client, "count", run_id)["status"] != "success"
        until = time.monotonic() + 60
        while read(client, "count", run_id)["status"] != "success":
            assert time.monotonic() < until
            time.sleep(0.2)


def test_a_start_succeeds_without_the_worker(functions, tmp_path, postgres_url):
    """The run waits, and the log says why."""
    environment = {"DATABASE": postgres_url, "AWS_LAMBDA_FUNCTION_NAME": "api"}
    with run_function(functions / "api", tmp_path / "api", environment, scheme="http") as api:
        run_id = start(api, "count")
        assert read(api.client, "count", run_id)["status"] in ("pending", "running", "waiting")
        assert read_steps(api) == []
        assert re.search("background function failed: .*status 404", api.log.read_text())
