"""Compare the limits that an app sets for its requests with those of a target."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem, Target

__all__ = ("check_request_limits",)


def check_request_limits(target: Target, build: Build) -> Iterator[Problem]:
    """Yield a warning for each setting of the app that the target does not fulfil.

    Defaults are not compared: every app would get the same warning.

    :param target: the target, which declares its limits.
    :param build: the staged app.
    """
    serve, limits = build.manifest.serve, target.limits
    if 0 < limits.request < serve.body_limit:
        yield Problem(
            message=f"Server(body_limit=...) is {serve.body_limit:,} bytes, and {target.name!r} "
            f"refuses a request body of more than {limits.request:,} bytes.",
            hint="Let clients send large files to a store on the network.",
            severity="warning",
        )
    for name, seconds in serve.timeouts.items():
        if 0 < limits.seconds < seconds:
            yield Problem(
                message=f"{name} is {seconds:g} seconds, and {target.name!r} ends a request after "
                f"{limits.seconds:g} seconds.",
                hint="Complete the work in less time, or deploy to a target that has no such "
                "limit, such as 'server' or 'oci'.",
                severity="warning",
            )
