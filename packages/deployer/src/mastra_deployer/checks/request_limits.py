"""Compare an app's limits for requests with the limits of a target."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem, Target

__all__ = ("check_request_limits",)


def check_request_limits(target: Target, build: Build) -> Iterator[Problem]:
    """Yield a warning for each limit of the app that the target cannot provide.

    Only limits that the app sets itself are checked. A check of the default limits would give every
    app the same warning.

    :param target: the target, which declares its limits.
    :param build: the staged app.
    """
    serve, limits = build.manifest.serve, target.limits
    if 0 < limits.request < serve.body_limit:
        yield Problem(
            message=f"Server(body_limit=...) is {serve.body_limit:,} bytes, but "
            f"{target.name!r} refuses request bodies of more than {limits.request:,} "
            "bytes.",
            hint="Let clients send large files to a storage service.",
            severity="warning",
        )
    for name, seconds in serve.timeouts.items():
        if 0 < limits.seconds < seconds:
            yield Problem(
                message=f"{name} is {seconds:g} seconds, but {target.name!r} ends a request "
                f"after {limits.seconds:g} seconds.",
                hint="Complete the work in less time. Or deploy to a target without such a "
                "limit, such as 'server' or 'oci'.",
                severity="warning",
            )
