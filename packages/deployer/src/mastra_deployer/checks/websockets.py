"""Find WebSocket routes that a target or a bundle cannot serve."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.pipeline import Build, Problem, Target
from mastra_deployer.output.names import format_names

__all__ = ("check_websockets",)

_LIBRARIES = ("websockets", "wsproto")  # uvicorn serves WebSockets with one of them


def check_websockets(target: Target, build: Build) -> Iterator[Problem]:
    """Yield a warning if the app has WebSocket routes, and nothing serves WebSockets.

    :param target: the target.
    :param build: the staged app.
    """
    paths = build.manifest.websockets
    if not paths:
        return
    if not target.websockets:
        yield Problem(
            message=f"{target.name!r} serves no WebSockets, but the app has WebSocket routes: "
            f"{format_names(paths)}.",
            hint="Deploy the app to a target that serves WebSockets, such as 'server' or 'oci'. "
            "Otherwise, let clients use HTTP requests, such as server-sent events.",
            severity="warning",
        )
    elif not any(_has_module(build, name) for name in _LIBRARIES):
        yield Problem(
            message="The app has WebSocket routes, but the bundle contains no library for "
            f"WebSockets. Therefore the server refuses WebSockets: {format_names(paths)}.",
            hint="Add 'websockets' to the dependencies.",
            severity="warning",
        )


def _has_module(build: Build, name: str) -> bool:
    return (build.directory / build.manifest.paths[-1] / name).is_dir()
