"""What is asked of a platform, and what came of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Literal

from mastra_core.secret import Secret

__all__ = ("DeployRequest", "Deployment", "Git", "Plan", "Stage", "State")

Stage = Literal["preview", "production"]
State = Literal["building", "ready", "failed"]


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
    :param wait: whether to wait until it is live; without, hand it over and return.
    :param previous: the last deployment known here, where there is one.
    :param fingerprint: of the bundle and the values in ``env``, keyed by the credentials, so it
        may be kept where others read it. A deployer that can keep it gives it back in
        ``Deployment.fingerprint``; then an unchanged deploy can be skipped from any machine.
    """

    environment: Stage
    branch: str = ""
    message: str = ""
    git: Git | None = None
    env: Mapping[str, Secret] = dataclasses.field(default_factory=dict)
    wait: bool = True
    previous: Deployment | None = None
    fingerprint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deployment:
    """A bundle on a platform.

    :param id: the platform's own, what ``mastra promote`` and ``mastra rollback`` take.
    :param url: where it answers, or what it is called where it answers nowhere by itself.
    :param live: whether users see it. What ``mastra_deploy`` returns with ``False`` is a draft:
        it is tried (``smoke_headers``), then promoted.
    :param state: ``building`` where nobody waited for it.
    :param percent: share of the traffic it has, where that is split.
    :param fingerprint: that of the request, as far as the platform keeps it.
    :param next: what to read or do next, one line each.
    :param reachable: whether a request from here gets through; where it does not, and there are
        no ``smoke_headers``, it is not tried.
    :param smoke_headers: what a request needs to get past the platform's protection.
    """

    target: str
    id: str
    url: str
    environment: Stage
    created: dt.datetime
    live: bool = True
    state: State = "ready"
    percent: int | None = None
    branch: str = ""
    message: str = ""
    commit: str = ""
    fingerprint: str = ""
    next: tuple[str, ...] = ()
    reachable: bool = True
    smoke_headers: Mapping[str, Secret] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deploy would do.

    :param creates: things that do not exist yet, one line each.
    :param changes: things that do.
    :param upload: bytes to be sent.
    :param present: bytes the platform has already.
    :param notes: what else is worth knowing first, one line each.
    """

    creates: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    upload: int = 0
    present: int = 0
    notes: tuple[str, ...] = ()
