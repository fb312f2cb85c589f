"""Deployments made from here: ``.mastra-local/deployments.json``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from mastra_core.line import Deployment, Project
from mastra_deployer.places import local_directory

__all__ = ("last_deployment", "record_deployment")

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


def last_deployment(project: Project, name: str, environment: str) -> Deployment | None:
    """The newest one of a target and environment, or ``None``."""
    for entry in reversed(_read(project)):
        if (entry.name, entry.environment) == (name, environment):
            return Deployment(
                target=entry.target,
                id=entry.id,
                url=entry.url,
                environment="production" if entry.environment == "production" else "preview",
                created=entry.created,
                live=entry.live,
            )
    return None


def record_deployment(project: Project, name: str, deployment: Deployment) -> None:
    """Append one, keeping the newest hundred; written whole or not at all."""
    entry = _Entry(
        name=name,
        target=deployment.target,
        id=deployment.id,
        url=deployment.url,
        environment=deployment.environment,
        created=deployment.created,
        live=deployment.live,
    )
    file = _file(project)
    draft = file.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode([*_read(project), entry][-_KEPT:])))
    draft.replace(file)


def _file(project: Project) -> Path:
    return local_directory(project) / "deployments.json"


def _read(project: Project) -> list[_Entry]:
    try:
        return msgspec.json.decode(_file(project).read_bytes(), type=list[_Entry])
    except (FileNotFoundError, msgspec.DecodeError):
        return []  # a note for people; nothing depends on it
