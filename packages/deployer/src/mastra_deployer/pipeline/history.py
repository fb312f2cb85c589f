"""Deployments made from here: ``.mastra-local/deployments.json``."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import msgspec

from mastra_core.pipeline import Deployment, Project, Stage
from mastra_deployer.files.directories import local_directory

__all__ = ("known_deployments", "last_deployment", "record_deployment")

_KEPT = 100


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment without what protects it."""

    name: str
    target: str
    id: str
    url: str
    environment: str
    created: dt.datetime
    live: bool = True
    branch: str = ""
    message: str = ""
    commit: str = ""
    fingerprint: str = ""


def known_deployments(project: Project, name: str) -> list[Deployment]:
    """Those of a target that were made from here, newest first, each once.

    In production only the newest is live.
    """
    found: dict[tuple[str, str], Deployment] = {}
    for entry in reversed(_read(project)):
        if entry.name == name:
            seen = any(stage == "production" for stage, _ in found)
            live = entry.live and not (entry.environment == "production" and seen)
            made = _deployment(msgspec.structs.replace(entry, live=live))
            found.setdefault((entry.environment, entry.id), made)
    return list(found.values())


def last_deployment(project: Project, name: str, environment: str) -> Deployment | None:
    """The newest one of a target and environment, or ``None``."""
    known = known_deployments(project, name)
    return next((item for item in known if item.environment == environment), None)


def record_deployment(project: Project, name: str, deployment: Deployment) -> None:
    """Append one, keeping the newest hundred; written whole or not at all."""
    fields = set(_Entry.__struct_fields__) - {"name"}
    entry = _Entry(name=name, **{field: getattr(deployment, field) for field in fields})
    file = _file(project)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode([*_read(project), entry][-_KEPT:])))
    draft.replace(file)


def _deployment(entry: _Entry) -> Deployment:
    known = msgspec.structs.asdict(entry)
    del known["name"]
    environment: Stage = "production" if entry.environment == "production" else "preview"
    return Deployment(**{**known, "environment": environment})


def _file(project: Project) -> Path:
    return local_directory(project) / "deployments.json"


def _read(project: Project) -> list[_Entry]:
    try:
        return msgspec.json.decode(_file(project).read_bytes(), type=list[_Entry])
    except (FileNotFoundError, msgspec.DecodeError):
        return []  # a note for people; nothing depends on it
