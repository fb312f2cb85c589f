"""Workflows whose runs a platform cannot resume."""

from pathlib import Path

from mastra_core.pipeline import Build, BundleManifest, Platform
from mastra_deployer.kit import check_workflow_runs


def check(**steps):
    manifest = BundleManifest(
        app="main:app",
        paths=("app",),
        python="3.12",
        wheels="",
        entry="main:app",
        suspending_steps=steps,
    )
    build = Build(directory=Path(), platform=Platform(), manifest=manifest)
    return list(check_workflow_runs(build, "acme"))


def test_workflow_that_suspends_is_an_error():
    (problem,) = check(order=("approve", "pay"))
    assert problem.severity == "error"
    assert (
        "The step 'approve' of the workflow 'order' suspends the run, but 'acme'" in problem.message
    )
    assert "requires_approval=True" in problem.hint


def test_other_workflows_are_no_problem():
    assert check() == []
