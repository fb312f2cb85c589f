"""What the fake stores: teams, sites, deployments, contents, variables, logs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import itertools
import threading
import time
import uuid
import zipfile
from typing import Any

ALL_CONTEXTS = ("production", "deploy-preview", "branch-deploy", "dev")


def format_now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclasses.dataclass(kw_only=True)
class Team:
    """A team; `members` are tokens."""

    id: str
    slug: str
    members: set[str]
    included_sites: int = 500


@dataclasses.dataclass(kw_only=True)
class Variable:
    """A variable of a site; `values` is the value by context."""

    key: str
    scopes: list[str]
    is_secret: bool
    values: dict[str, str]
    ids: dict[str, str] = dataclasses.field(default_factory=dict)
    updated_at: str = dataclasses.field(default_factory=format_now)


@dataclasses.dataclass(kw_only=True)
class Deploy:
    """A deployment; `env` has the variables that its functions run with."""

    id: str
    site: str
    title: str
    draft: bool
    branch: str
    context: str
    files: dict[str, str]
    functions: dict[str, str]
    config: dict[str, Any]
    env: dict[str, str]
    created_at: str = dataclasses.field(default_factory=format_now)
    published_at: str = ""
    state: str = "uploading"
    error_message: str = ""
    locked: bool = False
    polls: int = 0
    is_prepared: bool = True  # False until an asynchronous request was polled


@dataclasses.dataclass(kw_only=True)
class Site:
    id: str
    name: str
    team: Team
    published: str = ""
    prevent_non_git_prod_deploys: bool = False
    variables: dict[str, Variable] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class LogRow:
    deploy: str
    milliseconds: int
    level: str
    message: str
    function: str = "api"


class Platform:
    """All state of the fake, and the settings of tests."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.teams: list[Team] = []
        self._numbers = itertools.count(1)
        self.clear()
        self.clear_faults()

    def clear(self) -> None:
        self.sites: dict[str, Site] = {}
        self.deploys: dict[str, Deploy] = {}
        self.files: dict[str, bytes] = {}
        self.functions: dict[str, bytes] = {}
        self.logs: list[LogRow] = []
        self.posts = 0  # deployments that were requested

    def clear_faults(self) -> None:
        self.rejection = ""
        self.failure, self.failed_state = "", "error"
        self.hang = False
        self.draft_context = "production"
        self.omitted_variables: set[str] = set()
        self.taken_names: set[str] = set()
        self.function_rejection: tuple[int, str] | None = None
        self.unknown_state = ""
        self.deploys_per_window: int | None = None
        self.reset_form = "epoch"
        self.reset_seconds = 20
        self.page_size_cap = 100
        self.ignores_site_of_path = False  # a deploy is found by its id alone

    def create_id(self) -> str:
        return f"{next(self._numbers):024x}"

    def create_site(self, name: str, team: Team) -> Site:
        site = Site(id=str(uuid.uuid4()), name=name, team=team)
        self.sites[site.id] = site
        return site

    def list_required(self, deploy: Deploy) -> tuple[list[str], list[str]]:
        """Return the digests of files and of functions that were never uploaded."""
        files = sorted(set(deploy.files.values()) - set(self.files))
        return files, sorted(set(deploy.functions.values()) - set(self.functions))

    def advance(self, deploy: Deploy) -> None:
        """Let a deployment progress by one poll."""
        if deploy.state in ("ready", "error", "deleted"):
            return
        deploy.is_prepared = True
        if any(self.list_required(deploy)):
            deploy.state = "uploading"
            return
        deploy.polls += 1
        deploy.state = self.unknown_state or "processing"
        if self.hang or deploy.polls < 2:
            return
        if self.failure:
            deploy.state, deploy.error_message = self.failed_state, self.failure
            return
        deploy.state = "ready"
        site = self.sites[deploy.site]
        published = self.deploys.get(site.published)
        is_locked = published is not None and published.locked
        if not deploy.draft and deploy.context == "production" and not is_locked:
            self.publish(site, deploy)

    def publish(self, site: Site, deploy: Deploy) -> None:
        site.published, deploy.published_at = deploy.id, format_now()

    def list_files(self, deploy: Deploy) -> dict[str, bytes]:
        """Return all files by path; functions are unpacked."""
        found = {f"static/{path}": self.files[sha] for path, sha in deploy.files.items()}
        for name, sha in deploy.functions.items():
            found |= unpack(name, self.functions[sha])
        return found

    def log(self, deploy: str, message: str, level: str = "INFO", function: str = "api") -> LogRow:
        now = time.time_ns() // 1_000_000
        row = LogRow(
            deploy=deploy, milliseconds=now, level=level, message=message, function=function
        )
        self.logs.append(row)
        return row


def unpack(name: str, content: bytes) -> dict[str, bytes]:
    """Return the files of a function's zip, below its name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {f"{name}/{item}": archive.read(item) for item in archive.namelist()}


def compute_sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def compute_sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
