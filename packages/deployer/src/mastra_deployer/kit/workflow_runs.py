"""Report the workflows whose suspended runs cannot be resumed on a platform."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem

__all__ = ("check_workflow_runs",)


def check_workflow_runs(build: Build, target: str) -> Iterator[Problem]:
    """Yield an error for each workflow whose suspended runs are in the memory of one process.

    This check is for platforms on which the request that resumes a run may not reach the process
    that suspended the run.

    :param build: the staged app.
    :param target: name of the target in messages.
    """
    for workflow, steps in build.manifest.suspending_steps.items():
        yield Problem(
            message=f"The step {steps[0]!r} of the workflow {workflow!r} suspends the run, but "
            f"{target!r} does not keep runs of workflows between two requests.",
            hint="Keep the runs in a database of the platform: "
            'engine=DurableEngine("d1:DB") on Cloudflare, or engine="durable" with PostgreSQL on '
            "other platforms. Or let an agent call a tool with requires_approval=True, because the "
            "storage keeps suspended runs of agents. Or deploy to a target with one lasting "
            "instance, such as 'server' or 'oci'. "
            f"If such runs may be lost, add {workflow!r} to [tool.mastra.check] ignore.",
            severity="error",
        )
