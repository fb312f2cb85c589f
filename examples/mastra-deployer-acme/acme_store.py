"""What Acme keeps: apps, their deployments and variables, and the content of files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ("App", "Refused", "Release", "Store")


class Refused(Exception):
    """An answer that is no success, with the platform's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(kw_only=True)
class Release:
    """A deployment on its way to users, with the variables it was given."""

    deployment: str
    env: dict[str, str]
    state: str = "building"
    url: str = ""
    error: str = ""
    fingerprint: str = ""
    looks: int = 0


@dataclasses.dataclass(kw_only=True)
class App:
    """An app: `asked` has the latest release of a stage, `live` all that users have seen."""

    id: str
    name: str
    deployments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    env: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    asked: dict[str, Release] = dataclasses.field(default_factory=dict)
    live: dict[str, list[Release]] = dataclasses.field(default_factory=dict)
    canary: dict[str, int] = dataclasses.field(default_factory=dict)
    said: list[str] = dataclasses.field(default_factory=list)

    def seen(self, stage: str) -> Release | None:
        """What users of that stage see."""
        return self.live[stage][-1] if self.live.get(stage) else None

    def answer(self) -> dict[str, Any]:
        before = self.live.get("production", [])[-2:-1]
        previous = before[0].deployment if before else ""
        return {"id": self.id, "name": self.name, "previous": previous}


class Store:
    """Files by digest, and everything else in one file that is replaced as a whole."""

    def __init__(self, directory: Path, *, survives: bool = True) -> None:
        self.directory, self.survives = directory, survives
        self.lock = threading.RLock()
        self.careless = False  # whether a deployment may be released that is not all there
        self.apps: dict[str, App] = {}
        (directory / "blobs").mkdir(parents=True, exist_ok=True)
        if (directory / "state.json").exists():
            known = json.loads((directory / "state.json").read_text())
            self.apps = {app["id"]: _app(app) for app in known}

    def save(self) -> None:
        if not self.survives:
            return
        draft = self.directory / "state.draft"
        draft.write_text(json.dumps([dataclasses.asdict(app) for app in self.apps.values()]))
        draft.replace(self.directory / "state.json")

    def create(self, name: str) -> App:
        app = App(id=f"app-{len(self.apps) + 1}", name=name)
        self.apps[app.id] = app
        return app

    def app(self, id: str) -> App:
        if id not in self.apps:
            raise Refused(404, f"there is no app {id}")
        return self.apps[id]

    def digests(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "blobs").iterdir())

    def missing(self, digests: Iterable[str]) -> list[str]:
        return sorted(set(digests) - set(self.digests()))

    def announce(self, app: App, id: str, files: Mapping[str, str]) -> None:
        known = app.deployments.get(id, {"created": dt.datetime.now(dt.UTC).isoformat()})
        app.deployments[id] = {**known, "files": dict(files)}

    def receive(self, digest: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != digest:
            raise Refused(400, f"the content of {digest} has another digest")
        draft = self.directory / f"{digest}.{threading.get_ident()}"
        draft.write_bytes(content)
        draft.replace(self.directory / "blobs" / digest)

    def files(self, app: App, id: str) -> dict[str, Path]:
        """Every file of a deployment: its path there, and where its content is."""
        if id not in app.deployments:
            raise Refused(404, f"there is no deployment {id}")
        files = app.deployments[id]["files"]
        missing = self.missing(files.values())
        if missing and not self.careless:
            raise Refused(409, f"{len(missing)} files are missing")
        there = {path: digest for path, digest in files.items() if digest not in missing}
        return {path: self.directory / "blobs" / digest for path, digest in there.items()}


def _app(known: dict[str, Any]) -> App:
    asked = {stage: Release(**release) for stage, release in known.pop("asked").items()}
    live = {stage: [Release(**each) for each in past] for stage, past in known.pop("live").items()}
    return App(**known, asked=asked, live=live)
