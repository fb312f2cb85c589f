"""Everything the fake knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vercel.fake.accounts import Team, Token, User
from tests.vercel.fake.faults import Faults
from tests.vercel.fake.lifecycle import Deployment, Outcome, Pace
from tests.vercel.fake.limits import Limits

if TYPE_CHECKING:
    from tests.vercel.fake.aliases import Alias
    from tests.vercel.fake.projects import Project

Runner = Callable[[Path, Mapping[str, str]], int]


class World:
    """The state behind the API; `lock` is held while it is changed."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.lock = threading.RLock()
        self.stopped = threading.Event()
        self.users: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        self.tokens: dict[str, Token] = {}
        self.projects: dict[str, Project] = {}
        self.deployments: dict[str, Deployment] = {}
        self.aliases: dict[str, Alias] = {}
        self.faults, self.limits = Faults(), Limits()
        self.pace = Pace()
        self.outcomes: list[Outcome] = []  # of the next deployments, in order
        self.outcome = Outcome()  # of all others
        self.refusing = ""  # words for everything that changes something
        self.alias_fails = False  # whether promoting and going back ends as failed
        self.refused_env: dict[str, tuple[str, str]] = {}  # name to code and words
        self.dedupe = True
        self.log_seconds = 0.5  # how long a live tail waits for another row
        self.runner: Runner | None = None
        self.open_host: Callable[[str], str] = lambda name: name
        self._last = 0

    def now(self) -> int:
        """Milliseconds since 1970, never the same twice."""
        self._last = max(self._last + 1, int(time.time() * 1000))
        return self._last

    def clear(self) -> None:
        """Forget what was created; accounts stay."""
        self.projects.clear()
        self.deployments.clear()
        self.aliases.clear()
        self.heal()

    def heal(self) -> None:
        self.faults.clear()
        self.outcomes.clear()
        self.outcome, self.refusing, self.alias_fails = Outcome(), "", False
        self.refused_env.clear()
        self.limits = Limits()
