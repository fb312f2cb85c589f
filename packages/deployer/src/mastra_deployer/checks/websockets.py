"""Find WebSocket routes that a target cannot serve."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem, Target
from mastra_deployer.output.names import format_names

__all__ = ("check_websockets",)


def check_websockets(target: Target, build: Build) -> Iterator[Problem]:
    """Yield a warning if the app has WebSocket routes, and the target serves no WebSockets.

    :param target: the target.
    :param build: the staged app.
    """
    paths = build.manifest.websockets
    if paths and not target.websockets:
        yield Problem(
            message=f"{target.name!r} serves no WebSockets, but the app has WebSocket routes: "
            f"{format_names(paths)}.",
            hint="Deploy the app to a target that serves WebSockets, such as 'server' or 'oci'. "
            "Otherwise, let clients use HTTP requests, such as server-sent events.",
            severity="warning",
        )
