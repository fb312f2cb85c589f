"""Tests through the npm client ``@mastra/client-js``."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mastra_deployer.testing.acceptance.app_fixtures import KEY, AppFixtures
from mastra_deployer.testing.acceptance.node import install_packages, run_script

__all__ = ("CLIENT_PACKAGE", "NpmClientTests")

CLIENT_PACKAGE = "@mastra/client-js@1.47.0"
_SCRIPT = Path(__file__).with_name("walk.mjs")
_SHORTEST_STREAM = 500  # milliseconds between the first word and the last; the app takes 1050


class NpmClientTests(AppFixtures):
    """Test that Mastra's client for JavaScript works with the application."""

    @pytest.fixture(scope="class")
    @classmethod
    def npm_results(cls, app_url: str) -> Any:
        """Return the results of the client, which has used each part of the application once."""
        try:
            home = install_packages(CLIENT_PACKAGE)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = f"{CLIENT_PACKAGE} cannot be installed: {error}"
            if cls.requires_npm_client:
                pytest.fail(reason)
            pytest.skip(reason)
        return run_script(_SCRIPT, home, app_url, KEY, cls.body_limit)

    def test_client_calls_agents_and_tools(self, npm_results: Any) -> None:
        """Agents are listed and run, and a tool is executed."""
        assert npm_results["agents"] == ["broken", "calculate", "echo", "tick"]
        assert npm_results["generated"] == "echo: hi"
        assert npm_results["tool"] == 5  # noqa: PLR2004  # 2 + 3
        chunks = {chunk["type"]: chunk["payload"] for chunk in npm_results["calculated"]}
        assert chunks["tool-result"]["result"] == 5  # noqa: PLR2004  # 2 + 3
        assert chunks["finish"]["stepResult"]["reason"] == "stop"

    def test_client_gets_chunks_while_they_are_produced(self, npm_results: Any) -> None:
        """The first word of a stream arrives long before the last word, and no word is missing."""
        words = [chunk for chunk in npm_results["ticked"] if chunk["type"] == "text-delta"]
        assert [word["payload"]["text"] for word in words] == [f"s-{n} " for n in range(8)]
        self.require_streams()
        assert words[-1]["at"] - words[0]["at"] > _SHORTEST_STREAM

    def test_client_runs_workflows(self, npm_results: Any) -> None:
        """A run returns its result, and its stream contains every step."""
        assert (npm_results["run"]["status"], npm_results["run"]["result"]) == ("success", 41)
        assert npm_results["streamed"].count("workflow-step-result") == 2  # noqa: PLR2004  # steps
        assert npm_results["streamed"][-1] == "workflow-finish"

    def test_client_resumes_a_suspended_run(self, npm_results: Any) -> None:
        """A run waits for a decision, and continues after the decision."""
        self.require_shared_memory()
        assert npm_results["suspended"]["value"]["status"] == "suspended"
        assert npm_results["resumed"]["value"]["result"] == "tea: yes"

    def test_client_gets_errors_with_their_status(self, npm_results: Any) -> None:
        """An unknown agent, a failed agent and a missing key raise errors with the right status."""
        names = ("unknown", "broken", "stranger")
        assert [npm_results[name]["status"] for name in names] == [404, 500, 401]
        assert "the agent failed" in npm_results["broken"]["message"]

    def test_client_sends_large_bodies(self, npm_results: Any) -> None:
        """A body just below the limit arrives; a larger body gets a 413."""
        assert npm_results["large"] == self.body_limit - 1024
        assert npm_results["tooLarge"]["status"] == 413  # noqa: PLR2004  # too large

    def test_client_may_leave(self, npm_results: Any) -> None:
        """After the client has closed a stream early, the application answers the next request."""
        assert "value" not in npm_results["left"], "the stream was read to its end"
        assert npm_results["afterwards"] == "echo: still here"
