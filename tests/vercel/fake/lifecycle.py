"""A deployment and how it comes along: a step further each time somebody looks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS = ("QUEUED", "INITIALIZING", "BUILDING", "READY", "ASSIGNED")
BUILDING, READY, ASSIGNED = 2, 3, 4
ENDS = frozenset({"ERROR", "CANCELED", "BLOCKED"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast deployments come along.

    :param looks: how often somebody has to look for one step; 0 takes all steps at the first look.
    :param seconds: how long a step takes where nobody looks; `None` for ever.
    """

    looks: int = 1
    seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of a deployment.

    :param state: `READY`, `ERROR`, `CANCELED`, `BLOCKED`, or `BUILDING` for one that never ends.
    :param alias: what is wrong with its aliases, where it is ready.
    :param checks: `failed` keeps its aliases from it.
    """

    state: str = "READY"
    code: str = ""
    message: str = ""
    step: str = ""
    alias: tuple[str, str] | None = None
    checks: str = ""


@dataclasses.dataclass(kw_only=True)
class Deployment:
    """A deployment; `target` is `production`, `staging`, or empty for a preview."""

    id: str
    name: str
    project: str
    owner: str
    creator: str
    url: str
    created: int
    target: str
    environment: str  # the id of a custom environment
    directory: Path
    files: dict[str, int]  # path to mode
    same: str  # equal for deployments that are alike
    env: dict[str, str]
    build_env: tuple[str, ...]
    meta: dict[str, str]
    git: Mapping[str, Any] | None
    prebuilt: bool
    auto_assign: bool
    outcome: Outcome
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    began: float = dataclasses.field(default_factory=time.monotonic)
    looks: int = 0
    step: int = 0
    ended: str = ""  # a state of ENDS
    deleted: bool = False
    substate: str = ""
    served: bool = False  # whether it was ever what production's users see
    alias: list[str] = dataclasses.field(default_factory=list)
    logs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    checks: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def state(self) -> str:
        return self.ended or STEPS[min(self.step, READY)]

    @property
    def ready(self) -> bool:
        return self.state == "READY"

    @property
    def assigned(self) -> bool:
        return not self.ended and self.step >= ASSIGNED


def step_of(deployment: Deployment, pace: Pace) -> int:
    """How far it should be by now."""
    looked = deployment.looks // pace.looks if pace.looks else ASSIGNED * bool(deployment.looks)
    passed = time.monotonic() - deployment.began
    aged = int(passed / pace.seconds) if pace.seconds else 0
    return min(max(deployment.step, looked, aged), ASSIGNED)
