"""Record changes of variables that take effect with the next deploy."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection

import msgspec

from mastra_core.pipeline import Deployment, Project
from mastra_deployer.files.local_records import change_record, read_record
from mastra_deployer.pipeline.session import Session

__all__ = ("forget_changes", "has_changed_since", "list_changes", "record_change")

_FILE = "variable-changes.json"
_Changes = dict[str, list[str]]  # ids of changes by target and stage


def record_change(project: Project, name: str, stage: str) -> str:
    """Record a change of variables that the next deploy will use, and return the change's id.

    :param project: the project.
    :param name: the user's name for the target.
    :param stage: ``production`` or ``preview``.
    :raises ConfigError: if the project cannot be written.
    """
    key, change = f"{name}/{stage}", secrets.token_hex(8)

    def add(content: bytes) -> bytes:
        changes = _parse(content)
        return msgspec.json.encode({**changes, key: [*changes.get(key, ()), change]})

    change_record(project, _FILE, add)
    return change


def list_changes(project: Project, name: str, stage: str) -> list[str]:
    """Return the ids of the recorded changes.

    :param project: the project.
    :param name: the user's name for the target.
    :param stage: ``production`` or ``preview``.
    """
    return _parse(read_record(project, _FILE)).get(f"{name}/{stage}", [])


def forget_changes(project: Project, name: str, stage: str, changes: Collection[str]) -> None:
    """Remove recorded changes, because a deploy has applied them.

    Changes since the start of the deploy stay recorded.

    :param project: the project.
    :param name: the user's name for the target.
    :param stage: ``production`` or ``preview``.
    :param changes: the ids that ``list_changes`` returned before the deploy.
    :raises ConfigError: if the project cannot be written.
    """
    key = f"{name}/{stage}"

    def remove(content: bytes) -> bytes:
        known = _parse(content)
        left = [change for change in known.pop(key, ()) if change not in changes]
        return msgspec.json.encode({**known, key: left} if left else known)

    if changes:
        change_record(project, _FILE, remove)


def has_changed_since(session: Session, deployment: Deployment) -> bool:
    """Return whether a variable has changed since the deployment.

    mastra itself records only changes that are made on this machine. If the platform stores when a
    variable was last changed, changes from other machines count, too.

    :param session: project, target and settings.
    :param deployment: the live deployment, which is kept if no variable has changed.
    """
    stage = deployment.environment
    if list_changes(session.project, session.choice.record_name, stage):
        return True
    if not session.hooks.has_hook("env") or stage not in session.hooks.target.kept_env_stages:
        return False
    changed = session.hooks.get_env_store(session.access, stage).get_change_time()
    return changed is not None and changed > deployment.created.astimezone(dt.UTC)


def _parse(content: bytes) -> _Changes:
    try:
        return msgspec.json.decode(content, type=_Changes) if content else {}
    except msgspec.DecodeError:
        return {}  # a damaged record means that no change is known
