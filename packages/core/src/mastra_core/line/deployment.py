"""What is asked of a platform, and what came of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Literal

from mastra_core.secret import Secret

__all__ = ("DeployRequest", "Deployment", "Git", "Plan")

Stage = Literal["preview", "production"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Git:
    """Where the project's code stands."""

    commit: str
    branch: str = ""
    dirty: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """What the user asked for. A new flag becomes a field here, never a change of a hook.

    :param environment: ``preview`` or ``production``.
    :param env: values of the app's variables, for the platform's secret store.
    :param previous: the last deployment known here, where there is one.
    """

    environment: Stage
    branch: str = ""
    message: str = ""
    git: Git | None = None
    env: Mapping[str, Secret] = dataclasses.field(default_factory=dict)
    wait: bool = True
    previous: Deployment | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deployment:
    """A bundle on a platform.

    :param id: the platform's own, what ``mastra rollback`` takes.
    :param live: whether users see it; a draft is smoked first, then promoted.
    :param next: what to read or do next, one line each.
    :param smoke_headers: what a request needs to get past the platform's protection.
    """

    target: str
    id: str
    url: str
    environment: Stage
    created: dt.datetime
    live: bool = True
    next: tuple[str, ...] = ()
    smoke_headers: Mapping[str, Secret] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deploy would do.

    :param creates: things that do not exist yet, one line each.
    :param changes: things that do.
    :param upload: bytes to be sent.
    :param present: bytes the platform has already.
    """

    creates: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    upload: int = 0
    present: int = 0
