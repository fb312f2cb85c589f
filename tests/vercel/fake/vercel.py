"""`FakeVercel`: the server, and what a test may tell it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.vercel.fake.accounts import Plan, Team, Token, User
from tests.vercel.fake.api import Request, serve
from tests.vercel.fake.archives import contents_of
from tests.vercel.fake.faults import Fault
from tests.vercel.fake.lifecycle import Deployment, Outcome, Pace
from tests.vercel.fake.listener import Listener
from tests.vercel.fake.progress import advance
from tests.vercel.fake.projects import Project
from tests.vercel.fake.rolling import shares
from tests.vercel.fake.runtime_logs import say
from tests.vercel.fake.sites import Sites
from tests.vercel.fake.world import Runner, World

TOKEN = "vcp_fakefakefakefakefakefake"
TEAM = "team_acme"


class FakeVercel:
    """Vercel on loopback, from now until `stop`.

    There is a user `tester` whose default team is `acme` (`team_acme`, plan pro); a team `globex`
    that the user is no member of; a team `initech` (plan enterprise) that asks for SAML. `TOKEN`
    is good for the first two teams; `world.tokens` takes more.

    :param store: an empty directory for files and deployments.
    :param runner: starts a function for real, given its directory and its environment; the port
        it answers HTTP on. Without one a function answers which deployment and path it is.
    """

    def __init__(
        self, store: Path, *, port: int = 0, plan: Plan = "pro", runner: Runner | None = None
    ) -> None:
        self.world = World(store)
        self.requests: list[Request] = []
        self.token, self.project = TOKEN, "shop"
        self._listener, self._sites = Listener(), Sites(self.world)
        self.world.open_host, self.world.runner = self._open_host, runner
        self._people(plan)
        self._port = self._listener.open(serve(self.world, self.requests.append), port)
        self._listener.start()

    def _people(self, plan: Plan) -> None:
        world = self.world
        user = User(id="usr_tester", username="tester", email="tester@example.com", team=TEAM)
        world.users[user.id] = user
        mine = {user.id}
        for team in (
            Team(id=TEAM, slug="acme", name="Acme", plan=plan, members=mine),
            Team(id="team_globex", slug="globex", name="Globex", plan="pro", members=set()),
            Team(
                id="team_initech",
                slug="initech",
                name="Initech",
                plan="enterprise",
                members=mine,
                saml=True,
            ),
        ):
            world.teams[team.id] = team
        self.add_token(TOKEN)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """Answer nothing any more, and close everything."""
        self.world.stopped.set()
        self._listener.stop()

    def _open_host(self, meant: str) -> str:
        """A host for a deployment (its id) or for production (`production:OWNER:PROJECT`)."""
        known = [host for host, name in self._sites.hosts.items() if name == meant]
        if known:
            return known[0]
        hosts: list[str] = []
        port = self._listener.open(self._sites.serve(lambda: hosts[0]))
        hosts.append(f"127.0.0.1:{port}")
        self._sites.hosts[hosts[0]] = meant
        return hosts[0]

    # What a test may arrange.

    def add_token(self, value: str, *, team: str = "", saml: bool = False) -> str:
        """Another token of `tester`; `team` limits it to that team's id, `saml` opens `initech`."""
        self.world.tokens[value] = Token(value=value, user="usr_tester", team=team, saml=saml)
        return value

    def set_plan(self, plan: Plan, team: str = TEAM) -> None:
        self.world.teams[team].plan = plan

    def set_pace(self, *, looks: int = 1, seconds: float | None = None) -> None:
        """How fast deployments come along; `looks=0` is done when first looked at."""
        self.world.pace = Pace(looks=looks, seconds=seconds)

    def answer(
        self, method: str, path: str, fault: Fault, *, times: int = 1, skip: int = 0
    ) -> None:
        """Answer requests with a fault in place of the truth.

        :param method: `*` for any.
        :param path: a regular expression that is searched in the path.
        :param skip: so many of them are answered truly before.
        """
        self.world.faults.plan(method, path, fault, times, skip)

    def limit(self, route: str, requests: int, seconds: int = 60) -> None:
        """Answer 429 beyond that; `route` is spelled `POST /files`, as in `route(...)`."""
        self.world.limits.kept[route] = (requests, seconds)

    def limit_uploads(self, left: int) -> None:
        """So many uploads more until the day's quota is used up."""
        self.world.limits.uploads = left

    def end_next(self, *outcomes: Outcome) -> None:
        """What becomes of the next deployments."""
        self.world.outcomes += outcomes

    def refuse_env(self, name: str, code: str, message: str) -> None:
        """Let a variable of that name fail, inside an answer of 201."""
        self.world.refused_env[name] = (code, message)

    # What a test may look at.

    def find_project(self, name: str = "") -> Project | None:
        found = (p for p in self.world.projects.values() if p.name == (name or self.project))
        return next(found, None)

    def deployments(self, name: str = "") -> list[Deployment]:
        """Those of a project, the oldest first."""
        project = self.find_project(name)
        known = self.world.deployments.values()
        return [d for d in known if project and d.project == project.id and not d.deleted]

    def settle(self) -> None:
        """Let everything that is under way come to its end."""
        for deployment in self.world.deployments.values():
            deployment.looks = 10_000
            advance(self.world, deployment)

    def asked(self, method: str = "", path: str = "") -> list[Request]:
        """The requests so far, of that method and with that in their path."""
        return [r for r in self.requests if method in {"", r.method} and path in r.path]

    # `mastra_deployer.testing.FakePlatform`.

    def settings(self) -> Mapping[str, Any]:
        return {"project_name": self.project}

    def live_deployment(self, environment: str) -> Deployment | None:
        """What users of a stage see: production's, or the newest preview that is ready."""
        project = self.find_project()
        if project is None:
            return None
        if environment == "production":
            return self.world.deployments.get(project.production)
        others = [d for d in self.deployments() if d.target != "production" and d.ready]
        return others[-1] if others else None

    def live(self, environment: str) -> Any:
        """As `mastra_deployer.testing.Live`; `None` while there is nothing."""
        from mastra_deployer.testing.fake_platform import Live

        seen = self.live_deployment(environment)
        if seen is None:
            return None
        return Live(id=seen.id, files=contents_of(seen.directory), env=seen.env)

    def things(self) -> Sequence[str]:
        """The ids of all projects and deployments."""
        there = [d.id for d in self.world.deployments.values() if not d.deleted]
        return [*self.world.projects, *there]

    def reset(self) -> None:
        with self.world.lock:
            self.world.clear()
            self.requests.clear()
            shutil.rmtree(self.world.store / "files", ignore_errors=True)

    def heal(self) -> None:
        with self.world.lock:
            self.world.heal()

    def refuse(self, words: str) -> None:
        self.world.refusing = words

    def fail(self, words: str) -> None:
        self.world.outcome = Outcome(state="ERROR", code="BUILD_FAILED", message=words)

    def hang(self) -> None:
        self.world.outcome = Outcome(state="BUILDING")

    def traffic(self) -> Mapping[str, int]:
        project = self.find_project()
        return shares(project) if project else {}

    def say(self, text: str, **about: Any) -> None:
        """Let the live app in production log a line."""
        seen = self.live_deployment("production")
        assert seen is not None, "nothing is live"
        say(self.world, seen, text, **about)
