"""The facts about an app that the bundle's main module contains."""

from __future__ import annotations

import dataclasses

__all__ = ("Options",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options with which the Worker runs the app.

    :param app: import string of the ASGI application.
    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param paths: directories below the Worker's root that the app is imported from.
    :param required: variables without which the app does not start.
    :param variables: all variables that are copied from the bindings.
    :param body_limit: maximum bytes of a request's body.
    :param build_app: ``import``, or ``request`` to import the app at the first request.
    :param preload: whether the modules of the agents are imported with the app.
    :param crons: whether the Worker handles cron triggers.
    """

    app: str
    kind: str
    paths: tuple[str, ...]
    required: tuple[str, ...]
    variables: tuple[str, ...]
    body_limit: int
    build_app: str
    preload: bool
    crons: bool = False
