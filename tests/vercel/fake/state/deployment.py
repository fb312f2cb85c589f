"""A deployment, and how it progresses with each poll."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS = ("QUEUED", "INITIALIZING", "BUILDING", "READY", "ASSIGNED")
BUILDING, READY, ASSIGNED = 2, 3, 4
FAILED_STATES = frozenset({"ERROR", "CANCELED", "BLOCKED"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildSpeed:
    """How fast deployments progress.

    :param polls: polls for one step; 0 takes all steps at the first poll.
    :param seconds: seconds for one step without polls; `None` for no progress.
    """

    polls: int = 1
    seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a deployment ends.

    :param state: `READY`, `ERROR`, `CANCELED`, `BLOCKED`, or `BUILDING` for one that never ends.
    :param alias: code and message of the error that prevents its aliases.
    :param checks: `failed` prevents its aliases.
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
    identity: str  # equal for identical deployments
    env: dict[str, str]
    build_env: tuple[str, ...]
    meta: dict[str, str]
    git: Mapping[str, Any] | None
    prebuilt: bool
    auto_assign: bool
    outcome: Outcome
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    started_at: float = dataclasses.field(default_factory=time.monotonic)
    polls: int = 0
    step: int = 0
    end_state: str = ""  # one of FAILED_STATES
    is_deleted: bool = False
    substate: str = ""
    was_live: bool = False  # whether it ever was live in production
    alias: list[str] = dataclasses.field(default_factory=list)
    logs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    checks: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def state(self) -> str:
        return self.end_state or STEPS[min(self.step, READY)]

    @property
    def is_ready(self) -> bool:
        return self.state == "READY"

    @property
    def has_aliases(self) -> bool:
        return not self.end_state and self.step >= ASSIGNED


def compute_step(deployment: Deployment, pace: BuildSpeed) -> int:
    """Return the step that the deployment should have reached by now."""
    polled_step = (
        deployment.polls // pace.polls if pace.polls else ASSIGNED * bool(deployment.polls)
    )
    elapsed = time.monotonic() - deployment.started_at
    timed_step = int(elapsed / pace.seconds) if pace.seconds else 0
    return min(max(deployment.step, polled_step, timed_step), ASSIGNED)
