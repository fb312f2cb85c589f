"""Remember changes of variables that take effect with the next deploy."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from mastra_core.pipeline import Deployment, Project
from mastra_deployer.files.directories import ensure_local_directory
from mastra_deployer.pipeline.session import Session

__all__ = ("forget_changes", "has_changed_since", "record_change")


def record_change(project: Project, name: str, stage: str) -> None:
    """Record a change of variables that the next deploy will use.

    :param project: the project.
    :param name: the user's name for the target.
    :param stage: ``production`` or ``preview``.
    """
    _write(project, {*_read(project), f"{name}/{stage}"})


def forget_changes(project: Project, name: str, stage: str) -> None:
    """Forget the recorded changes, because a deploy has used them.

    :param project: the project.
    :param name: the user's name for the target.
    :param stage: ``production`` or ``preview``.
    """
    changes = _read(project)
    if f"{name}/{stage}" in changes:
        _write(project, changes - {f"{name}/{stage}"})


def has_changed_since(session: Session, deployment: Deployment) -> bool:
    """Return whether a variable has changed since the deployment.

    This machine remembers its own changes. A platform that stores the times of changes knows all
    changes.

    :param session: project, target and settings.
    :param deployment: the deployment that might be kept.
    """
    stage = deployment.environment
    if f"{session.choice.name}/{stage}" in _read(session.project):
        return True
    if not session.hooks.has_hook("env") or stage not in session.hooks.target.kept_env_stages:
        return False
    changed = session.hooks.get_env_store(session.access, stage).get_change_time()
    return changed is not None and changed > deployment.created.astimezone(dt.UTC)


def _read(project: Project) -> set[str]:
    try:
        return set(json.loads(_get_file(project).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return set()  # as if this machine had changed nothing


def _write(project: Project, changes: set[str]) -> None:
    _get_file(project).write_text(json.dumps(sorted(changes)), encoding="utf-8", newline="\n")


def _get_file(project: Project) -> Path:
    return ensure_local_directory(project) / "variable-changes.json"
