"""`FakeVercel`: the server, and the controls for tests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.platform_fakes.faults import Fault
from tests.platform_fakes.listener import Listener
from tests.platform_fakes.recorded_request import RecordedRequest
from tests.vercel.fake.routes.accounts import Plan, Team, Token, User
from tests.vercel.fake.routes.projects import Project
from tests.vercel.fake.routes.rolling_releases import get_traffic_shares
from tests.vercel.fake.routes.runtime_logs import add_log_row
from tests.vercel.fake.sites.archives import read_tree
from tests.vercel.fake.sites.hosts import SiteHosts
from tests.vercel.fake.state.deployment import BuildSpeed, Deployment, Outcome
from tests.vercel.fake.state.platform_state import PlatformState, Runner
from tests.vercel.fake.state.progress import advance
from tests.vercel.fake.transport.api import make_connection_handler

TOKEN = "vcp_fakefakefakefakefakefake"
TEAM = "team_acme"


class FakeVercel:
    """Vercel on loopback, from construction until `stop`.

    There is a user `tester` whose default team is `acme` (`team_acme`, plan pro). The user is not a
    member of the team `globex`. The team `initech` (plan enterprise) requires SAML. `TOKEN` is valid
    for the first two teams; `add_token` adds others.

    :param store: an empty directory for files and deployments.
    :param port: port of the API; 0 for any free port.
    :param plan: plan of the team `acme`.
    :param runner: starts a function, given its directory and environment, and returns the port
        that it serves on. Without a runner a function responds with its deployment and path.
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
        """Close all listeners and connections."""
        self.platform.stop_event.set()
        self._listener.stop()

    def _open_host(self, target: str) -> str:
        """Open a host for a deployment (its id) or for production (`production:OWNER:PROJECT`)."""
        existing = [host for host, name in self._sites.hosts.items() if name == target]
        if existing:
            return existing[0]
        hosts: list[str] = []
        port = self._listener.open(self._sites.make_connection_handler(lambda: hosts[0]))
        hosts.append(f"127.0.0.1:{port}")
        self._sites.hosts[hosts[0]] = target
        return hosts[0]

    # Controls for tests.

    def add_token(self, value: str, *, team: str = "", saml: bool = False) -> str:
        """Add a token of `tester`.

        :param team: id of the only team that the token may access; empty for all.
        :param saml: whether the token was created through SAML, which `initech` requires.
        """
        self.platform.tokens[value] = Token(value=value, user="usr_tester", team=team, saml=saml)
        return value

    def set_plan(self, plan: Plan, team: str = TEAM) -> None:
        self.platform.teams[team].plan = plan

    def set_build_speed(self, *, polls: int = 1, seconds: float | None = None) -> None:
        """Set how fast deployments progress; `polls=0` finishes them at the first poll."""
        self.platform.build_speed = BuildSpeed(polls=polls, seconds=seconds)

    def add_fault(
        self, method: str, path: str, fault: Fault, *, times: int = 1, skip: int = 0
    ) -> None:
        """Answer matching requests with a fault.

        :param method: HTTP method; `*` for any.
        :param path: regular expression that is searched in the path.
        :param times: how many requests fail.
        :param skip: how many requests succeed before.
        """
        self.platform.faults.add(method, path, fault, times, skip)

    def set_rate_limit(self, route: str, requests: int, seconds: int = 60) -> None:
        """Answer 429 beyond the limit; `route` is the method and pattern, such as `POST /files`."""
        self.platform.limits.limits[route] = (requests, seconds)

    def set_upload_quota(self, left: int) -> None:
        """Set how many uploads are left until the daily quota is exhausted."""
        self.platform.limits.uploads_left = left

    def set_next_outcomes(self, *outcomes: Outcome) -> None:
        """Set the outcomes of the next deployments, in order."""
        self.platform.next_outcomes += outcomes

    def reject_variable(self, name: str, code: str, message: str) -> None:
        """Reject a variable, inside a response of 201."""
        self.platform.rejected_variables[name] = (code, message)

    # State for tests.

    def find_project(self, name: str = "") -> Project | None:
        matches = (p for p in self.platform.projects.values() if p.name == (name or self.project))
        return next(matches, None)

    def list_deployments(self, name: str = "") -> list[Deployment]:
        """List the deployments of a project, oldest first."""
        project = self.find_project(name)
        deployments = self.platform.deployments.values()
        return [d for d in deployments if project and d.project == project.id and not d.is_deleted]

    def finish_deployments(self) -> None:
        """Advance all deployments to their final state."""
        for deployment in self.platform.deployments.values():
            deployment.polls = 10_000
            advance(self.platform, deployment)

    def find_requests(self, method: str = "", path: str = "") -> list[RecordedRequest]:
        """Return the recorded requests with the method, and with `path` in their path."""
        return [r for r in self.requests if method in {"", r.method} and path in r.path]

    # The protocol `mastra_deployer.testing.FakePlatform`.

    def get_settings(self) -> Mapping[str, Any]:
        return {"project_name": self.project}

    def find_live_deployment(self, environment: str) -> Deployment | None:
        """Return the production deployment, or the newest preview that is ready."""
        project = self.find_project()
        if project is None:
            return None
        if environment == "production":
            return self.platform.deployments.get(project.production)
        previews = [d for d in self.list_deployments() if d.target != "production" and d.is_ready]
        return previews[-1] if previews else None

    def get_live(self, environment: str) -> Any:
        """Return it as `mastra_deployer.testing.Live`; `None` when there is none."""
        from mastra_deployer.testing.fake_platform import Live

        deployment = self.find_live_deployment(environment)
        if deployment is None:
            return None
        return Live(id=deployment.id, files=read_tree(deployment.directory), env=deployment.env)

    def list_resources(self) -> Sequence[str]:
        """Return the ids of all projects and deployments."""
        deployments = [d.id for d in self.platform.deployments.values() if not d.is_deleted]
        return [*self.platform.projects, *deployments]

    def reset(self) -> None:
        with self.platform.lock:
            self.platform.clear()
            self.requests.clear()
            shutil.rmtree(self.platform.store / "files", ignore_errors=True)

    def clear_faults(self) -> None:
        with self.platform.lock:
            self.platform.clear_faults()

    def reject_changes(self, words: str) -> None:
        self.platform.rejection = words

    def fail_deployments(self, words: str) -> None:
        self.platform.default_outcome = Outcome(state="ERROR", code="BUILD_FAILED", message=words)

    def hang_deployments(self) -> None:
        self.platform.default_outcome = Outcome(state="BUILDING")

    def get_traffic(self) -> Mapping[str, int]:
        project = self.find_project()
        return get_traffic_shares(project) if project else {}

    def write_log(self, text: str, **fields: Any) -> None:
        """Add a log line to the live production deployment."""
        deployment = self.find_live_deployment("production")
        assert deployment is not None, "no deployment is live"
        add_log_row(self.platform, deployment, text, **fields)
