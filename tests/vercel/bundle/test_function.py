"""Uploaded parts, joined and unpacked, run under the real `vercel-runtime`.

The acceptance suite in `tests/vercel/preview` tests what the app does there.
"""

import io
import json
import tarfile
import time

import httpx
import pytest

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Bundle
from mastra_deployer_vercel.bundle.build_output import FUNCTION
from mastra_deployer_vercel.deploy.archive import pack_archive
from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
APP = """\
import logging
import os

from mastra_core import Mastra, create_logger

log = logging.getLogger("shop")

async def logging_agent(text: str):
    log.info("run of %s", text)
    yield "logged"

async def writer(text: str):
    try:
        with open(os.path.join(os.path.dirname(__file__), "written"), "w"):
            yield "written"
    except OSError as error:
        yield error.strerror

async def variable(text: str):
    yield os.environ.get(text, "unset")

mastra = Mastra(
    agents={"logging": logging_agent, "writer": writer, "variable": variable},
    logger=create_logger("shop"),
)
"""
LIFESPAN = """\
import contextlib
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

STATE = []

@contextlib.asynccontextmanager
async def lifespan(app):
    STATE.append("started")
    yield
    print("stopped", flush=True)

async def home(request):
    return PlainTextResponse(",".join(STATE))

app = Starlette(routes=[Route("/{rest:path}", home)], lifespan=lifespan)
"""


def unpack_function(bundle, directory):
    """Unpack the function as Vercel does: join the parts, extract the archive."""
    parts_directory = directory / "parts"
    parts_directory.mkdir(parents=True)
    content = b"".join(
        part.file.read_bytes() for part in pack_archive(Bundle.load(bundle), parts_directory)
    )
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(directory / "task", filter="data")
    return directory / "task" / FUNCTION


class Instance:
    """A running function."""

    def __init__(self, runtime, messages):
        self.messages = messages
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{runtime.port}", timeout=30, trust_env=False
        )

    def generate(self, agent, text="x", request="0"):
        headers = {"x-vercel-internal-request-id": request}
        path = f"/api/agents/{agent}/generate"
        return self.client.post(path, json={"messages": text}, headers=headers).json()["text"]

    def wait_for_message(self, check):
        """Return the first message that fits; messages arrive beside the responses."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for item in [*self.messages]:
                if check(item):
                    return item
            time.sleep(0.01)
        raise AssertionError(f"no such message among {self.messages}")


@pytest.fixture(scope="module", params=["3.12", pytest.param("3.13", marks=pytest.mark.full)])
def function(request, tmp_path_factory, mastra, find_python):
    python = find_python(request.param)
    directory = tmp_path_factory.mktemp("vercel")
    root = write_project(directory / "app", {INDEX: APP})
    options = ("-s", "project_name=shop", "--python", request.param)
    mastra("bundle", "vercel", *options, "-o", directory / "out", cwd=root).ok()
    config = json.loads((directory / "out" / FUNCTION / ".vc-config.json").read_text())
    assert config["runtime"] == f"python{request.param}"
    return unpack_function(directory / "out", directory), python


@pytest.fixture(scope="module")
def instance(function):
    directory, python = function
    messages = []
    environment = {"GREETING": "hullo"}
    with FunctionRuntime(directory, python, environment, messages.append) as runtime:
        running_instance = Instance(runtime, messages)
        yield running_instance
        running_instance.client.close()


def test_modules_that_only_the_platform_starts_have_bytecode(function):
    directory, _ = function
    assert [*directory.glob("vendor/vercel_runtime/__pycache__/vc_init.*.pyc")]


def test_log_line_carries_its_request_id(instance):
    instance.generate("logging", "marked", request="4711")
    line = instance.wait_for_message(
        lambda item: item["type"] == "log" and "run of marked" in item["payload"]["message"]
    )
    assert line["payload"]["context"]["requestId"] == 4711
    assert json.loads(line["payload"]["message"])["msg"] == "run of marked"


def test_each_request_reports_start_and_end(instance):
    instance.generate("variable", request="99")

    def belongs(item):
        return (item.get("payload", {}).get("context") or {}).get("requestId") == 99

    instance.wait_for_message(lambda item: item["type"] == "end" and belongs(item))
    kinds = [item["type"] for item in instance.messages if belongs(item)]
    assert kinds == ["handler-started", "end"]


def test_variables_are_set_and_the_disk_is_read_only(instance):
    assert instance.generate("variable", "GREETING") == "hullo"
    assert instance.generate("variable", "PYTHONPATH") == "unset"
    assert instance.generate("writer") != "written"


def test_startup_is_reported(instance):
    message = instance.messages[0]
    assert message["type"] == "server-started"
    assert message["payload"]["userInitDuration"] > 0


def test_lifespan_of_another_framework_runs(tmp_path, mastra, find_python):
    root = write_project(tmp_path / "app", {"main.py": LIFESPAN}, dependencies=("starlette",))
    options = ("--app", "main:app", "-s", "project_name=site", "--python", "3.12")
    mastra("bundle", "vercel", *options, "-o", tmp_path / "out", cwd=root).ok()
    function, messages = unpack_function(tmp_path / "out", tmp_path), []
    vendor_names = {path.name for path in (function / "vendor").iterdir()}
    assert "mastra_core" not in vendor_names and "vercel_runtime" in vendor_names
    with FunctionRuntime(function, find_python("3.12"), {}, messages.append) as runtime:
        response = httpx.get(f"http://127.0.0.1:{runtime.port}/a/b", trust_env=False)
        assert response.text == "started"
    assert any("stopped" in item["payload"].get("message", "") for item in messages)


def test_startup_failure_is_reported(function):
    directory, python = function
    entry = directory / "mastra_vercel_app.py"
    before = entry.read_text()
    entry.write_text("raise RuntimeError('no such shop')\n")
    try:
        with pytest.raises(DeploymentFailed, match="no such shop"):
            FunctionRuntime(directory, python, {}, lambda _: None).__enter__()
    finally:
        entry.write_text(before)
