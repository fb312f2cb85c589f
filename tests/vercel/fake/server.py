"""`FakeVercel`: the server, and what a test may tell it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.vercel.fake.routes.accounts import Plan, Team, Token, User
from tests.vercel.fake.routes.projects import Project
from tests.vercel.fake.routes.rolling_releases import get_traffic_shares
from tests.vercel.fake.routes.runtime_logs import add_log_row
from tests.vercel.fake.sites.archives import read_tree
from tests.vercel.fake.sites.hosts import SiteHosts
from tests.vercel.fake.state.deployment import BuildSpeed, Deployment, Outcome
from tests.vercel.fake.state.platform_state import PlatformState, Runner
from tests.vercel.fake.state.progress import advance
from tests.vercel.fake.transport.api import RecordedRequest, make_connection_handler
from tests.vercel.fake.transport.faults import Fault
from tests.vercel.fake.transport.listener import Listener

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
        self.platform = PlatformState(store)
        self.requests: list[RecordedRequest] = []
        self.token, self.project = TOKEN, "shop"
        self._listener, self._sites = Listener(), SiteHosts(self.platform)
        self.platform.open_host, self.platform.runner = self._open_host, runner
        self._create_accounts(plan)
        self._port = self._listener.open(
            make_connection_handler(self.platform, self.requests.append), port
        )
        self._listener.start()

    def _create_accounts(self, plan: Plan) -> None:
        platform = self.platform
        user = User(id="usr_tester", username="tester", email="tester@example.com", team=TEAM)
        platform.users[user.id] = user
        members = {user.id}
        for team in (
            Team(id=TEAM, slug="acme", name="Acme", plan=plan, members=members),
            Team(id="team_globex", slug="globex", name="Globex", plan="pro", members=set()),
            Team(
                id="team_initech",
                slug="initech",
                name="Initech",
                plan="enterprise",
                members=members,
                saml=True,
            ),
        ):
            platform.teams[team.id] = team
        self.add_token(TOKEN)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """Answer nothing any more, and close everything."""
        self.platform.stop_event.set()
        self._listener.stop()

    def _open_host(self, target: str) -> str:
        """A host for a deployment (its id) or for production (`production:OWNER:PROJECT`)."""
        existing = [host for host, name in self._sites.hosts.items() if name == target]
        if existing:
            return existing[0]
        hosts: list[str] = []
        port = self._listener.open(self._sites.make_connection_handler(lambda: hosts[0]))
        hosts.append(f"127.0.0.1:{port}")
        self._sites.hosts[hosts[0]] = target
        return hosts[0]

    # What a test may arrange.

    def add_token(self, value: str, *, team: str = "", saml: bool = False) -> str:
        """Another token of `tester`; `team` limits it to that team's id, `saml` opens `initech`."""
        self.platform.tokens[value] = Token(value=value, user="usr_tester", team=team, saml=saml)
        return value

    def set_plan(self, plan: Plan, team: str = TEAM) -> None:
        self.platform.teams[team].plan = plan

    def set_build_speed(self, *, polls: int = 1, seconds: float | None = None) -> None:
        """How fast deployments come along; `looks=0` is done when first looked at."""
        self.platform.build_speed = BuildSpeed(polls=polls, seconds=seconds)

    def add_fault(
        self, method: str, path: str, fault: Fault, *, times: int = 1, skip: int = 0
    ) -> None:
        """Answer requests with a fault in place of the truth.

        :param method: `*` for any.
        :param path: a regular expression that is searched in the path.
        :param skip: so many of them are answered truly before.
        """
        self.platform.faults.add(method, path, fault, times, skip)

    def set_rate_limit(self, route: str, requests: int, seconds: int = 60) -> None:
        """Answer 429 beyond that; `route` is spelled `POST /files`, as in `route(...)`."""
        self.platform.limits.limits[route] = (requests, seconds)

    def set_upload_quota(self, left: int) -> None:
        """So many uploads more until the day's quota is used up."""
        self.platform.limits.uploads_left = left

    def set_next_outcomes(self, *outcomes: Outcome) -> None:
        """What becomes of the next deployments."""
        self.platform.next_outcomes += outcomes

    def reject_variable(self, name: str, code: str, message: str) -> None:
        """Let a variable of that name fail, inside an answer of 201."""
        self.platform.rejected_variables[name] = (code, message)

    # What a test may look at.

    def find_project(self, name: str = "") -> Project | None:
        matches = (p for p in self.platform.projects.values() if p.name == (name or self.project))
        return next(matches, None)

    def list_deployments(self, name: str = "") -> list[Deployment]:
        """Those of a project, the oldest first."""
        project = self.find_project(name)
        deployments = self.platform.deployments.values()
        return [d for d in deployments if project and d.project == project.id and not d.is_deleted]

    def finish_deployments(self) -> None:
        """Let everything that is under way come to its end."""
        for deployment in self.platform.deployments.values():
            deployment.polls = 10_000
            advance(self.platform, deployment)

    def find_requests(self, method: str = "", path: str = "") -> list[RecordedRequest]:
        """The requests so far, of that method and with that in their path."""
        return [r for r in self.requests if method in {"", r.method} and path in r.path]

    # `mastra_deployer.testing.FakePlatform`.

    def settings(self) -> Mapping[str, Any]:
        return {"project_name": self.project}

    def find_live_deployment(self, environment: str) -> Deployment | None:
        """What users of a stage see: production's, or the newest preview that is ready."""
        project = self.find_project()
        if project is None:
            return None
        if environment == "production":
            return self.platform.deployments.get(project.production)
        previews = [d for d in self.list_deployments() if d.target != "production" and d.is_ready]
        return previews[-1] if previews else None

    def live(self, environment: str) -> Any:
        """As `mastra_deployer.testing.Live`; `None` while there is nothing."""
        from mastra_deployer.testing.fake_platform import Live

        deployment = self.find_live_deployment(environment)
        if deployment is None:
            return None
        return Live(id=deployment.id, files=read_tree(deployment.directory), env=deployment.env)

    def things(self) -> Sequence[str]:
        """The ids of all projects and deployments."""
        deployments = [d.id for d in self.platform.deployments.values() if not d.is_deleted]
        return [*self.platform.projects, *deployments]

    def reset(self) -> None:
        with self.platform.lock:
            self.platform.clear()
            self.requests.clear()
            shutil.rmtree(self.platform.store / "files", ignore_errors=True)

    def heal(self) -> None:
        with self.platform.lock:
            self.platform.clear_faults()

    def refuse(self, words: str) -> None:
        self.platform.rejection = words

    def fail(self, words: str) -> None:
        self.platform.default_outcome = Outcome(state="ERROR", code="BUILD_FAILED", message=words)

    def hang(self) -> None:
        self.platform.default_outcome = Outcome(state="BUILDING")

    def traffic(self) -> Mapping[str, int]:
        project = self.find_project()
        return get_traffic_shares(project) if project else {}

    def say(self, text: str, **fields: Any) -> None:
        """Let the live app in production log a line."""
        deployment = self.find_live_deployment("production")
        assert deployment is not None, "nothing is live"
        add_log_row(self.platform, deployment, text, **fields)
