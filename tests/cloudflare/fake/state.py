"""What the fake stores: accounts, Workers with versions, resources, zones, logs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.cloudflare.fake.multipart import Module

ACCOUNT = "0123456789abcdef0123456789abcdef"
OTHER_ACCOUNT = "fedcba9876543210fedcba9876543210"
SECRETS = ("secret_text", "secret_key")
PERMISSIONS = frozenset("account scripts kv d1 r2 queues zones routes observability tail".split())
_MAX_DEPLOYMENTS = 10  # that the list has


def format_now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclasses.dataclass(kw_only=True)
class Version:
    """A version of a Worker; its bindings have all values."""

    id: str
    number: int
    metadata: dict[str, Any]
    modules: dict[str, Module]
    bindings: list[dict[str, Any]]
    annotations: dict[str, str]
    created_on: str = dataclasses.field(default_factory=format_now)
    unreadable_reads: int = 0  # times that reading it answers 100146

    @property
    def secrets(self) -> dict[str, str]:
        return {item["name"]: item["text"] for item in self.bindings if item["type"] in SECRETS}

    @property
    def env(self) -> dict[str, str]:
        return {item["name"]: item["text"] for item in self.bindings if "text" in item}


@dataclasses.dataclass(kw_only=True)
class Deployment:
    id: str
    shares: dict[str, float]
    annotations: dict[str, str]
    created_on: str = dataclasses.field(default_factory=format_now)


@dataclasses.dataclass(kw_only=True)
class Worker:
    name: str
    versions: list[Version] = dataclasses.field(default_factory=list)
    deployments: list[Deployment] = dataclasses.field(default_factory=list)
    enabled: bool = False
    previews_enabled: bool = False
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    crons: list[str] = dataclasses.field(default_factory=list)
    tails: dict[str, int] = dataclasses.field(default_factory=dict)  # first row of each

    def find(self, id: str) -> Version | None:
        return next((item for item in self.versions if item.id == id), None)

    def get_main(self) -> Version | None:
        """Return the version with the largest share of the traffic."""
        if not self.deployments:
            return None
        shares = self.deployments[-1].shares
        return self.find(max(shares, key=lambda key: shares[key]))


@dataclasses.dataclass(kw_only=True)
class Zone:
    id: str
    name: str
    account: str
    routes: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class LogRow:
    worker: str
    version: str
    milliseconds: int
    level: str
    message: str
    outcome: str = "ok"
    is_exception: bool = False


class Platform:
    """All state of the fake, and the settings of tests."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tokens: dict[str, frozenset[str]] = {}
        self.clear()
        self.clear_faults()

    def clear(self) -> None:
        self.accounts = {ACCOUNT: "acme"}  # of the token
        self.subdomain = "acme"
        self.workers: dict[str, Worker] = {}
        self.storage: dict[str, dict[str, str]] = {
            kind: {} for kind in ("kv", "d1", "r2", "queues")
        }
        self.zones = [
            Zone(id=uuid.uuid4().hex, name="example.com", account=ACCOUNT),
            Zone(id=uuid.uuid4().hex, name="other.example", account=OTHER_ACCOUNT),
        ]
        self.domains: dict[str, dict[str, str]] = {}
        self.logs: list[LogRow] = []
        self.log_starts: list[int] = []  # of the queries for past lines, in milliseconds

    def clear_faults(self) -> None:
        self.rejection = ""
        self.start_error = ""
        self.max_size = 64 << 20
        self.upload_error: tuple[int, int, str] | None = None
        self.unreadable_reads = 0
        self.token_status = "active"
        self.dropped_secrets: set[str] = set()  # that no version inherits
        self.omitted_secrets: set[str] = set()  # that are accepted, and not stored
        self.lists_all_domains = False  # whatever the query asks for

    def list_resources(self) -> list[str]:
        versions = [item.id for worker in self.workers.values() for item in worker.versions]
        storage = [f"{kind}/{name}" for kind, items in self.storage.items() for name in items]
        routes = [key for zone in self.zones for key in zone.routes]
        return [*self.workers, *versions, *storage, *routes, *self.domains]

    def add_version(
        self,
        worker: Worker,
        metadata: Mapping[str, Any],
        modules: dict[str, Module],
        bindings: list[dict[str, Any]],
    ) -> Version:
        version = Version(
            id=str(uuid.uuid4()),
            number=len(worker.versions) + 1,
            metadata=dict(metadata),
            modules=modules,
            bindings=[item for item in bindings if item["name"] not in self.omitted_secrets],
            annotations=dict(metadata.get("annotations") or {}),
            unreadable_reads=self.unreadable_reads,
        )
        worker.versions.append(version)
        return version

    def deploy(self, worker: Worker, shares: dict[str, float], annotations: Any) -> Deployment:
        item = Deployment(id=str(uuid.uuid4()), shares=shares, annotations=dict(annotations or {}))
        worker.deployments = [*worker.deployments, item][-_MAX_DEPLOYMENTS:]
        return item

    def has_address(self, worker: Worker) -> bool:
        """Return whether users can reach the live version."""
        routes = (route for zone in self.zones for route in zone.routes.values())
        return (
            worker.enabled
            or any(route.get("script") == worker.name for route in routes)
            or any(item["service"] == worker.name for item in self.domains.values())
        )

    def log(self, worker: str, version: str, message: str, **fields: Any) -> LogRow:
        row = LogRow(
            worker=worker,
            version=version,
            milliseconds=time.time_ns() // 1_000_000,
            level=fields.pop("level", "log"),
            message=message,
            **fields,
        )
        self.logs.append(row)
        return row


def compute_etag(modules: Mapping[str, Module]) -> str:
    return hashlib.sha256(b"".join(item.content for item in modules.values())).hexdigest()
