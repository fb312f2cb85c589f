"""Test the handler that a deployer adds, and the local preview."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import ast
from collections.abc import Mapping

import httpx
import pytest

from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness
from mastra_deployer.testing.isolated_env import read_files
from mastra_deployer.testing.preview_process import run_preview
from mastra_deployer.testing.sample_mastra_app import build_mastra_app, find_local_platform
from mastra_deployer.testing.subprocess_build import is_importable

__all__ = ("PreviewTests",)


class PreviewTests(SuiteFixtures):
    """Test the modules that a deployer adds to the app."""

    def test_added_modules_parse(self, harness: Harness) -> None:
        """Every Python file that the deployer adds to the app parses."""
        build = harness.build()
        staged = set(read_files(build.directory).values())
        for path, content in self._read_deployed(harness, harness.bundle(build=build)).items():
            if not path.endswith(".py") or content in staged:
                continue
            try:
                ast.parse(content)
            except SyntaxError as error:
                pytest.fail(f"{path} does not parse: {error}")

    def test_a_preview_answers(self, harness: Harness) -> None:
        """In the preview, the bundle of a Mastra app responds, and an interrupt ends the preview.

        An agent and a workflow answer, and the app has its variables.
        """
        self.require(harness, "preview")
        if not is_importable(harness.deployer):
            pytest.skip("the deployer is not a module that can be imported by name")
        platform = find_local_platform(harness.caller.target)
        if platform is None:
            pytest.skip("no platform of the target has a Python on this machine")
        directory = harness.make_directory()
        build = build_mastra_app(directory, harness.caller, platform, harness.recorder)
        bundle = harness.bundle(build=build)
        name, log = harness.deployer.__name__, directory / "preview.log"  # type: ignore[attr-defined]  # it is a module
        with run_preview(name, bundle, harness.settings_table, harness.env, log) as client:
            agent = _post(client, "agents/echo/generate", {"messages": "ping"})
            assert agent.get("text") == "echo: ping", f"the agent answered {agent}"
            run = _post(client, "workflows/welcome/start-async", {"inputData": "Ada"})
            expected = f"{harness.env['GREETING']}, Ada"
            assert run.get("result") == expected, f"the workflow answered {run}"

    def _read_deployed(self, harness: Harness, bundle: Bundle) -> Mapping[str, bytes]:
        """Return the live files after a deploy; without a deploy hook, the bundle's files."""
        if not harness.caller.has_hook("deploy"):
            return read_files(bundle.directory)
        harness.deploy(bundle)
        return harness.get_live().files


def _post(client: httpx.Client, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
    response = client.post(f"/api/{path}", json=body)
    assert response.is_success, f"{path} answered {response.status_code}: {response.text}"
    answer: Mapping[str, object] = response.json()
    return answer
