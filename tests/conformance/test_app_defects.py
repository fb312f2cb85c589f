"""Each defect of a runtime fails the test of the acceptance suite that is meant for it."""

import importlib.util
import inspect

import httpx
import pytest

from mastra_deployer.testing import AppSuite
from mastra_deployer.testing.acceptance.app_fixtures import KEY
from mastra_deployer.testing.acceptance.app_process import write_app
from mastra_server import create_app
from tests.conformance.app_defects import DEFECTS, buffer_response
from tests.server.conftest import run_server

pytestmark = pytest.mark.slow
ARGUMENTS = {"method": "POST", "authorization": None}


class Runtime:
    """An ASGI application that has one defect at a time."""

    def __init__(self, app):
        self.app, self.defect = app, None

    async def __call__(self, scope, receive, send):
        if self.defect is None or scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            await self.defect(self.app, scope, receive, send)


@pytest.fixture(scope="module")
def running_app(tmp_path_factory):
    root = write_app(tmp_path_factory.mktemp("acceptance") / "app")
    spec = importlib.util.spec_from_file_location("acceptance", root / "src/mastra/index.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AppSuite.variables.items():
            patch.setenv(name, value)
        spec.loader.exec_module(module)
        with run_server(Runtime(create_app(module.mastra))) as server:
            server.http.headers["authorization"] = f"Bearer {KEY}"
            yield server


def run_test(name, server):
    """Run a test of the suite against the server."""
    values = {"app_client": server.http, "app_url": server.url, **ARGUMENTS}
    test = getattr(AppSuite(), name)
    test(**{parameter: values[parameter] for parameter in inspect.signature(test).parameters})


@pytest.mark.parametrize("name", sorted(set(DEFECTS.values())))
def test_sound_runtime_passes(running_app, name):
    running_app.app.defect = None
    run_test(name, running_app)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_defect_is_caught(running_app, defect):
    running_app.app.defect = defect
    with pytest.raises((AssertionError, httpx.HTTPError)):
        run_test(DEFECTS[defect], running_app)


def test_a_platform_that_buffers_responses_says_so(running_app):
    class Buffered(AppSuite):
        streams = False

    running_app.app.defect = buffer_response
    with pytest.raises(pytest.skip.Exception, match="streams = False"):
        Buffered().test_streams_arrive_while_they_are_produced(running_app.http)
    Buffered().test_an_agent_calls_a_tool(running_app.http)
    words = [
        {"type": "text-delta", "payload": {"text": f"s-{number} "}, "at": 1} for number in range(8)
    ]
    with pytest.raises(pytest.skip.Exception):
        Buffered().test_client_gets_chunks_while_they_are_produced({"ticked": words})
    with pytest.raises(AssertionError):  # a lost word is no matter of time
        Buffered().test_client_gets_chunks_while_they_are_produced({"ticked": words[1:]})


def test_an_override_needs_a_reason():
    with pytest.raises(TypeError, match="overrides a test of AppSuite"):

        class TestOverride(AppSuite):
            def test_a_workflow_runs(self):
                pass
