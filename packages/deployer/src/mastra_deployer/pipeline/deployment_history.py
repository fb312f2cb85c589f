"""Record the deployments from this project in ``.mastra-local/deployments.json``."""

from __future__ import annotations

import datetime as dt

import msgspec

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Deployment, Project, Report, Stage
from mastra_deployer.files.local_records import change_record, read_record

__all__ = (
    "find_last_deployment",
    "find_production_fingerprint",
    "forget_deployments",
    "list_known_deployments",
    "record_deployment",
)

_FILE = "deployments.json"
_MAX_ENTRIES = 100


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded deployment, without the headers that give access to it."""

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


def list_known_deployments(project: Project, name: str) -> list[Deployment]:
    """Return a target's recorded deployments, newest first and without duplicates.

    In production, at most one deployment is live: the newest one that is not a draft.

    :param project: the project that was deployed.
    :param name: the user's name for the target.
    """
    deployments: dict[tuple[str, str], Deployment] = {}
    has_live = False  # in production
    for entry in reversed(_parse_entries(read_record(project, _FILE))):
        if entry.name == name:
            is_production = entry.environment == "production"
            live = entry.live and not (is_production and has_live)
            has_live = has_live or (is_production and live)
            deployment = _to_deployment(msgspec.structs.replace(entry, live=live))
            deployments.setdefault((entry.environment, entry.id), deployment)
    return list(deployments.values())


def find_last_deployment(project: Project, name: str, environment: str) -> Deployment | None:
    """Return the newest recorded deployment of a target and environment, or ``None``.

    :param project: the project that was deployed.
    :param name: the user's name for the target.
    :param environment: ``production`` or ``preview``.
    """
    deployments = list_known_deployments(project, name)
    return next(
        (deployment for deployment in deployments if deployment.environment == environment), None
    )


def find_production_fingerprint(project: Project, name: str, id: str) -> str:
    """Return the recorded fingerprint of a deployment to production; empty if unknown.

    A preview has other variables, so its fingerprint is not valid for production.

    :param project: the project that was deployed.
    :param name: the user's name for the target.
    :param id: the deployment's id.
    """
    for deployment in list_known_deployments(project, name):
        if deployment.id == id and deployment.environment == "production":
            return deployment.fingerprint
    return ""


def record_deployment(project: Project, name: str, deployment: Deployment, report: Report) -> None:
    """Append a deployment to the history file, which keeps the newest hundred deployments.

    If the file cannot be written, the function only warns, because the deployment is already
    complete.

    :param project: the project that was deployed.
    :param name: the user's name for the target.
    :param deployment: the deployment.
    :param report: receives the warning.
    """
    fields = set(_Entry.__struct_fields__) - {"name"}
    entry = _Entry(name=name, **{field: getattr(deployment, field) for field in fields})

    def append(content: bytes) -> bytes:
        entries = [*_parse_entries(content), entry][-_MAX_ENTRIES:]
        return msgspec.json.format(msgspec.json.encode(entries))

    try:
        change_record(project, _FILE, append)
    except ConfigError as error:
        report.warn(f"{deployment.id} was not recorded in the project. {error.message}", error.hint)


def forget_deployments(project: Project, name: str, report: Report) -> None:
    """Remove a target's deployments from the history file, because the app was removed.

    :param project: the project.
    :param name: the user's name for the target.
    :param report: receives a warning if the file cannot be written.
    """

    def remove(content: bytes) -> bytes:
        entries = [entry for entry in _parse_entries(content) if entry.name != name]
        return msgspec.json.format(msgspec.json.encode(entries))

    if not list_known_deployments(project, name):
        return
    try:
        change_record(project, _FILE, remove)
    except ConfigError as error:
        report.warn(f"The project still records the deployments. {error.message}", error.hint)


def _to_deployment(entry: _Entry) -> Deployment:
    fields = msgspec.structs.asdict(entry)
    del fields["name"]
    environment: Stage = "production" if entry.environment == "production" else "preview"
    return Deployment(**{**fields, "environment": environment})


def _parse_entries(content: bytes) -> list[_Entry]:
    try:
        return msgspec.json.decode(content, type=list[_Entry]) if content else []
    except msgspec.DecodeError:
        return []  # the project works without the record, so a damaged one is ignored
