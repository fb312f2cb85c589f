"""Find data that an app keeps in the memory of one instance."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem, Target
from mastra_deployer.checks.run_database import describe_run_databases

__all__ = ("check_process_memory",)


def check_process_memory(target: Target, build: Build) -> Iterator[Problem]:
    """Yield a problem for data that an app keeps in memory, where other instances cannot read it.

    :param target: a target that may end an instance at any time.
    :param build: the staged app.
    """
    if build.manifest.serve.single_process:
        yield _build_memory_problem(build, target)
    if settings := build.manifest.serve.per_process:
        yield Problem(
            message=f"Each instance of {target.name!r} has its own data for {', '.join(settings)}. "
            "A request sees only the data of its instance, and this data is lost when the "
            "instance ends.",
            hint="Use the platform's own logs, metrics and rate limits, export traces by "
            "Telemetry(...), or give RateLimit(storage=...) a shared storage.",
            severity="warning",
        )
    if build.manifest.registry.get("agents") and not build.manifest.serve.shares_responses:
        path = f"{build.manifest.serve.api_prefix}/v1/responses"
        yield Problem(
            message=f"With `previous_response_id`, POST {path} finds only responses of the same "
            f"instance of {target.name!r}.",
            hint="Pass a storage=... to Mastra that keeps responses, such as 'postgresql://...'. "
            "Otherwise, let clients send the whole conversation.",
            severity="note",
        )


def _build_memory_problem(build: Build, target: Target) -> Problem:
    subject = "Workflow runs or threads" if build.manifest.registry.get("workflows") else "Threads"
    hint = "Pass a storage=... to Mastra that keeps threads on the network. "
    if build.manifest.run_database == "memory":
        hint = f"Complete each run within one request. {describe_run_databases(target)}. {hint}"
    if "langgraph" in build.manifest.sizes:
        hint += "Compile LangGraph graphs with a checkpointer that uses a database. "
    return Problem(
        message=f"{subject} are kept in the memory of one instance. {target.name!r} may end this "
        "instance at any time, and the data is then lost. Other instances do not have "
        "the data.",
        hint=f"{hint}Or deploy to a target with a persistent disk, such as 'server' or 'oci' with "
        "one instance.",
        severity="warning",
    )
