"""The state of the fake platform."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.platform_fakes.faults import FaultQueue
from tests.vercel.fake.routes.accounts import Team, Token, User
from tests.vercel.fake.state.deployment import BuildSpeed, Deployment, Outcome
from tests.vercel.fake.transport.rate_limits import RateLimiter

if TYPE_CHECKING:
    from tests.vercel.fake.routes.aliases import Alias
    from tests.vercel.fake.routes.projects import Project

Runner = Callable[[Path, Mapping[str, str]], int]


class PlatformState:
    """The state behind the API; `lock` is held while it is changed."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.lock = threading.RLock()
        self.stop_event = threading.Event()
        self.users: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        self.tokens: dict[str, Token] = {}
        self.projects: dict[str, Project] = {}
        self.deployments: dict[str, Deployment] = {}
        self.aliases: dict[str, Alias] = {}
        self.faults, self.limits = FaultQueue(), RateLimiter()
        self.build_speed = BuildSpeed()
        self.next_outcomes: list[Outcome] = []  # outcomes of the next deployments, in order
        self.default_outcome = Outcome()  # outcome of all other deployments
        self.rejection = ""  # error message for all requests that change something
        self.fails_alias_requests = False  # whether promotions and rollbacks fail
        self.rejected_variables: dict[str, tuple[str, str]] = {}  # name to code and message
        self.reuses_identical = True
        self.log_seconds = 0.5  # seconds that a live tail waits for another row
        self.runner: Runner | None = None
        self.open_host: Callable[[str], str] = lambda name: name
        self._last_time = 0

    def now(self) -> int:
        """Return milliseconds since 1970, never the same value twice."""
        self._last_time = max(self._last_time + 1, int(time.time() * 1000))
        return self._last_time

    def clear(self) -> None:
        """Delete everything that was created, except accounts."""
        self.projects.clear()
        self.deployments.clear()
        self.aliases.clear()
        self.clear_faults()

    def clear_faults(self) -> None:
        self.faults.clear()
        self.next_outcomes.clear()
        self.default_outcome, self.rejection, self.fails_alias_requests = Outcome(), "", False
        self.rejected_variables.clear()
        self.limits = RateLimiter()
