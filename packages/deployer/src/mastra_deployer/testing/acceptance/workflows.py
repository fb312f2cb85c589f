"""Tests of workflows."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import json
import uuid

import httpx

from mastra_deployer.testing.acceptance.app_fixtures import AppFixtures

__all__ = ("WorkflowTests",)


class WorkflowTests(AppFixtures):
    """Workflows run, fail, suspend and resume."""

    def test_a_workflow_runs(self, app_client: httpx.Client) -> None:
        """A run returns the result of the last step."""
        path = "/api/workflows/double-and-increment/start-async"
        result = app_client.post(path, json={"inputData": 20}).json()
        assert (result["status"], result["result"]) == ("success", 41)

    def test_a_workflow_streams_its_steps(self, app_client: httpx.Client) -> None:
        """The stream of a run contains its start, each step and its end."""
        path = f"/api/workflows/double-and-increment/stream?runId={uuid.uuid4()}"
        text = app_client.post(path, json={"inputData": 20}).text
        chunks = [json.loads(part) for part in text.split("\x1e") if part]
        assert (chunks[0]["type"], chunks[-1]["type"]) == ("workflow-start", "workflow-finish")
        results = [each["payload"] for each in chunks if each["type"] == "workflow-step-result"]
        assert [result["output"] for result in results] == [40, 41]

    def test_a_failed_workflow_reports_its_status(self, app_client: httpx.Client) -> None:
        """If a step raises an exception, the run has the status failed."""
        path = "/api/workflows/failing/start-async"
        assert app_client.post(path, json={"inputData": 1}).json()["status"] == "failed"

    def test_a_suspended_run_is_resumed(self, app_client: httpx.Client) -> None:
        """Another request reads the suspended run, and a third request resumes it once."""
        self.require_shared_memory()
        workflow, run_id = "/api/workflows/approval", str(uuid.uuid4())
        started = app_client.post(
            f"{workflow}/start-async?runId={run_id}", json={"inputData": "tea"}
        ).json()
        assert started["status"] == "suspended"
        assert app_client.get(f"{workflow}/runs/{run_id}").json()["status"] == "suspended"
        resume = f"{workflow}/resume-async?runId={run_id}"
        body = {"step": "ask", "resumeData": {"approved": True}}
        assert app_client.post(resume, json=body).json()["result"] == "tea: yes"
        assert app_client.post(resume, json=body).status_code == httpx.codes.CONFLICT
