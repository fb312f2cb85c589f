"""The options of a deploy and its result."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from mastra_core.secret import Secret

__all__ = ("DeployRequest", "Deployment", "Git", "Plan", "Stage", "State")

Stage = Literal["preview", "production"]
State = Literal["building", "ready", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Git:
    """The state of the project's git repository.

    :param commit: hash of the current commit.
    :param branch: name of the branch, empty for a detached head.
    :param dirty: whether there are uncommitted changes.
    """

    commit: str
    branch: str = ""
    dirty: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """The options of a deploy; a new option becomes a field here, so hooks do not change.

    :param environment: ``preview`` or ``production``.
    :param branch: name of the git branch, empty if there is none.
    :param message: description of the deployment, empty if there is none.
    :param git: state of the git repository, ``None`` outside of one.
    :param env: values of the app's variables, which the platform stores as secrets.
    :param wait: whether to wait until the deployment is live.
    :param promote: whether this deploy also publishes the new deployment; ``False`` leaves a draft,
        for example for a canary.
    :param previous: the last deployment known on this machine, ``None`` if there is none.
    :param fingerprint: a keyed hash of the bundle and the values in ``env``. The hash reveals no
        value, because its key is derived from the credentials. A deployer that stores the hash on
        the platform returns it in ``Deployment.fingerprint``, so that any machine can skip a deploy
        that would change nothing.
    """

    environment: Stage
    branch: str = ""
    message: str = ""
    git: Git | None = None
    env: Mapping[str, Secret] = dataclasses.field(default_factory=dict)
    wait: bool = True
    promote: bool = True
    previous: Deployment | None = None
    fingerprint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deployment:
    """A bundle on a platform.

    :param target: name of the target.
    :param id: the platform's id, which ``mastra promote`` and ``mastra rollback`` take.
    :param url: URL of the deployment, or its name if it has no URL.
    :param environment: ``preview`` or ``production``.
    :param created: time of creation, with a time zone.
    :param live: whether the deployment serves users. ``mastra_deploy`` sets ``live`` to ``False``
        for a draft. A draft is smoke tested with ``smoke_headers`` and then promoted.
    :param state: ``building``, ``ready`` or ``failed``; ``building`` if the deploy did not wait.
    :param percent: share of the traffic in percent, ``None`` if traffic is not split.
    :param branch: name of the git branch, empty if unknown.
    :param message: description of the deployment, empty if there is none.
    :param commit: hash of the git commit, empty if unknown.
    :param fingerprint: the fingerprint of the request, empty if the platform does not store it.
    :param next: what to read or do next, one line each.
    :param reachable: whether a request from this machine reaches the deployment. Without
        ``smoke_headers``, an unreachable deployment is not smoke tested.
    :param smoke_headers: headers that pass a request through the platform's protection.
    :param sign_smoke: returns further headers for the URL of one request, such as a signature. Each
        attempt of the smoke test calls ``sign_smoke`` again.
    :param draft: whether a deployment to production was created as a draft, and was never live. A
        draft in the state ``building`` remains unpublished when it becomes ready.
    :raises ValueError: for an unknown stage or state, and for a time without a time zone.
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
    sign_smoke: Callable[[str], Mapping[str, Secret]] | None = None
    draft: bool = False

    def __post_init__(self) -> None:
        if self.environment not in get_args(Stage):
            raise ValueError(f"The stage {self.environment!r} of a deployment does not exist.")
        if self.state not in get_args(State):  # an unknown state would count as ready
            raise ValueError(f"The state {self.state!r} of a deployment does not exist.")
        if self.created.tzinfo is None:
            raise ValueError(f"The time {self.created} of a deployment has no time zone.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deploy would do.

    :param creates: things that would be created, one line each.
    :param changes: things that would be changed, one line each.
    :param environment: environment variables that would be set, one line each.
    :param upload: bytes to upload.
    :param present: bytes that the platform has already.
    :param notes: further information for the user, one line each.
    """

    creates: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    upload: int = 0
    present: int = 0
    notes: tuple[str, ...] = ()
