"""What is done with deployments that are there: listed, promoted, rolled back, removed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only deploying needs
    from mastra_deployer_oci.api.registry import Registry
    from mastra_deployer_oci.releases.release_log import Log, Record

__all__ = ("destroy", "list_deployments", "promote", "rollback")

_SEE = "mastra deployments oci shows what there is."
_NOT_ALLOWED = (400, 405, 501)


def list_deployments(
    settings: OciDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """Each image once, the newest first; its last record says what it is."""
    from mastra_deployer_oci.api.registry import open_target
    from mastra_deployer_oci.api.tags import record_moment
    from mastra_deployer_oci.releases.release import deployment_of
    from mastra_deployer_oci.releases.release_log import Log

    with open_target(settings, credentials, actions="pull") as registry:
        log = Log(registry)
        born = {short: names[-1] for short, names in log.names().items()}
        shown: dict[str, str] = {}
        found = []
        for short in sorted(born, key=lambda item: born[item], reverse=True)[:limit]:
            for record in _last(log, short, settings.tag):
                if record.moves not in shown:
                    image = registry.manifest(record.moves)
                    shown[record.moves] = image.digest if image else ""
                live = shown[record.moves] == record.image
                moment = record_moment(born[short])
                found.append(deployment_of(registry, record, live=live, created=moment))
        return found


def _last(log: Log, short: str, production: str) -> list[Record]:
    """The record that tells most of an image: that it was in production, else the newest."""
    records = list(log.of(short))
    in_production = [item for item in records if item.moves == production]
    return (in_production or records)[:1]


def promote(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Have production's tag show an image that is there."""
    from mastra_deployer_oci.api.registry import open_target
    from mastra_deployer_oci.releases.release import deployment_of, go_live
    from mastra_deployer_oci.releases.release_log import Log

    with open_target(settings, credentials) as registry:
        log = Log(registry)
        record = _record(log, id, registry)
        report.step(f"Moving {registry.image.name}:{settings.tag}")
        wanted = dataclasses.replace(
            record, event="promote", environment="production", moves=settings.tag, back=""
        )
        return deployment_of(registry, go_live(registry, log, wanted), live=True)


def rollback(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Have production's tag show what it showed before; again, what it showed before that.

    After a rollback to an ``id`` the next one goes back to where that one was called.
    """
    from mastra_deployer_oci.api.registry import open_target
    from mastra_deployer_oci.releases.release import deployment_of, go_live
    from mastra_deployer_oci.releases.release_log import Log

    with open_target(settings, credentials) as registry:
        log = Log(registry)
        before = _earlier(log, id, settings.tag, registry)
        report.step(f"Moving {registry.image.name}:{settings.tag}")
        wanted = dataclasses.replace(before, event="rollback")
        record = go_live(registry, log, wanted, further_back=not id)
        return deployment_of(registry, record, live=True)


def _earlier(log: Log, id: str, tag: str, registry: Registry) -> Record:
    """The record to go back to.

    :raises DeployError: where there is none.
    """
    if id:
        found = log.newest(_record(log, id, registry).image, tag)
        if found is None:
            raise DeployError(
                f"{id!r} was never in production, so there is no going back to it.",
                f"Make it live with: mastra promote {id}.",
            )
        return found
    now = log.current(tag)
    found = log.get(now.back) if now else None
    if found is None:
        shown = "what is live was the first" if now else "nothing that mastra deployed is live"
        raise DeployError(f"There is nothing to go back to: {shown}.", _SEE)
    return found


def _record(log: Log, id: str, registry: Registry) -> Record:
    """The newest record of an image.

    :raises DeployError: for an id that is none.
    """
    from mastra_deployer_oci.api.tags import ID

    found = ID.fullmatch(id)
    record = next(log.of(found[1]), None) if found else None
    if record is None:
        raise DeployError(f"{registry.image.name} has no deployment {id!r}.", _SEE)
    return record


def destroy(settings: OciDeployer, credentials: Mapping[str, Secret], report: Report) -> bool:
    """Delete every manifest that a deploy made. What else is in the repository stays.

    :raises DeployError: where the registry does not delete.
    """
    from mastra_deployer_oci.api.registry import open_target
    from mastra_deployer_oci.releases.release_log import Log

    with open_target(settings, credentials, actions="pull,push,delete") as registry:
        log = Log(registry)
        # Records go last: cut off, the next run still finds what there is.
        wanted = _made_here(log)
        for done, digest in enumerate(wanted, 1):
            _delete(registry, digest)
            report.advance(done, len(wanted), "manifests")
        return bool(wanted)


def _made_here(log: Log) -> list[str]:
    images: dict[str, None] = {}
    records: dict[str, None] = {}
    for names in log.names().values():
        for name in names:
            record = log.get(name)
            if record is not None:
                images |= dict.fromkeys(
                    [record.image, *(item["digest"] for item in record.children)]
                )
                records[record.document().digest] = None
    return [*images, *records]


def _delete(registry: Registry, digest: str) -> None:
    try:
        registry.delete_manifest(digest)
    except ApiError as error:
        if error.status not in _NOT_ALLOWED:
            raise
        raise DeployError(
            f"{registry.image.registry} does not delete images: {error.message}",
            "Delete them where the registry is managed, or allow deleting in its configuration.",
        ) from None
