"""Acme's store: apps, their deployments and variables, and the content of files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ("RESERVED", "App", "Release", "RequestError", "Store")

RESERVED = frozenset(("HOST", "PORT"))  # variables that Acme sets for each process


class RequestError(Exception):
    """A response with an error status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(kw_only=True)
class Release:
    """A deployment that becomes live in a stage, with its variables."""

    deployment: str
    env: dict[str, str]
    state: str = "building"
    url: str = ""
    error: str = ""
    fingerprint: str = ""
    message: str = ""
    polls: int = 0


@dataclasses.dataclass(kw_only=True)
class App:
    """An app, with the latest release of each stage, and all releases that were live."""

    id: str
    name: str
    deployments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    env: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    latest: dict[str, Release] = dataclasses.field(default_factory=dict)
    history: dict[str, list[Release]] = dataclasses.field(default_factory=dict)
    canary: dict[str, int] = dataclasses.field(default_factory=dict)
    log: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def get_live(self, stage: str) -> Release | None:
        """Return the release that users of a stage see."""
        return self.history[stage][-1] if self.history.get(stage) else None

    def get_percent(self, id: str) -> int | None:
        """Return the percentage of the traffic that a deployment gets while there is a canary."""
        live = self.get_live("production")
        if self.canary and live is not None and live.deployment == id:
            return 100 - sum(self.canary.values())
        return self.canary.get(id)

    def to_json(self) -> dict[str, Any]:
        ids = ["", "", *(release.deployment for release in self.history.get("production", []))]
        return {"id": self.id, "name": self.name, "live": ids[-1], "previous": ids[-2]}

    def set_env(self, stage: str, changes: Mapping[str, str | None]) -> None:
        """Set a stage's variables; ``None`` removes one, and other names stay."""
        if reserved := sorted(set(changes) & RESERVED):
            raise RequestError(422, f"{reserved[0]} is set by the platform")
        values = {**self.env.get(stage, {}), **changes}
        self.env[stage] = {name: text for name, text in values.items() if text is not None}

    def write_log(self, text: str) -> None:
        """Add a line of the live deployment in production."""
        live = self.get_live("production")
        time = dt.datetime.now(dt.UTC).isoformat()
        self.log.append({"time": time, "text": text, "deployment": live.deployment if live else ""})


class Store:
    """Files by digest, and everything else in one file that is replaced as a whole."""

    def __init__(self, directory: Path, *, persistent: bool = True) -> None:
        self.directory, self.persistent = directory, persistent
        self.lock = threading.RLock()
        self.allow_incomplete = False  # whether a deployment with missing files may be released
        self.apps: dict[str, App] = {}
        (directory / "blobs").mkdir(parents=True, exist_ok=True)
        if (directory / "state.json").exists():
            state = json.loads((directory / "state.json").read_text(encoding="utf-8"))
            self.apps = {app["id"]: _parse_app(app) for app in state}

    def save(self) -> None:
        if not self.persistent:
            return
        draft = self.directory / "state.draft"
        draft.write_text(
            json.dumps([dataclasses.asdict(app) for app in self.apps.values()]),
            encoding="utf-8",
            newline="\n",
        )
        draft.replace(self.directory / "state.json")

    def create_app(self, name: str) -> App:
        numbers = [int(each.removeprefix("app-")) for each in self.apps]
        number = max(numbers, default=0) + 1
        app = App(id=f"app-{number}", name=name)
        self.apps[app.id] = app
        return app

    def get_app(self, id: str) -> App:
        if id not in self.apps:
            raise RequestError(404, f"there is no app {id}")
        return self.apps[id]

    def list_digests(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "blobs").iterdir())

    def find_missing(self, digests: Iterable[str]) -> list[str]:
        return sorted(set(digests) - set(self.list_digests()))

    def create_deployment(self, app: App, id: str, files: Mapping[str, str]) -> None:
        existing = app.deployments.get(id, {"created": dt.datetime.now(dt.UTC).isoformat()})
        app.deployments[id] = {**existing, "files": dict(files)}

    def store_blob(self, digest: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != digest:
            raise RequestError(400, f"the content of {digest} has another digest")
        draft = self.directory / f"{digest}.{threading.get_ident()}"
        draft.write_bytes(content)
        draft.replace(self.directory / "blobs" / digest)

    def get_files(self, app: App, id: str) -> dict[str, Path]:
        """Return the stored content of every file of a deployment, by the file's path."""
        if id not in app.deployments:
            raise RequestError(404, f"there is no deployment {id}")
        files = app.deployments[id]["files"]
        missing = self.find_missing(files.values())
        if missing and not self.allow_incomplete:
            raise RequestError(409, f"{len(missing)} files are missing")
        stored = {path: digest for path, digest in files.items() if digest not in missing}
        return {path: self.directory / "blobs" / digest for path, digest in stored.items()}


def _parse_app(data: dict[str, Any]) -> App:
    latest = {stage: Release(**release) for stage, release in data.pop("latest").items()}
    history = {
        stage: [Release(**release) for release in releases]
        for stage, releases in data.pop("history").items()
    }
    return App(**data, latest=latest, history=history)
