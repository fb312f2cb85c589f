"""List, promote, roll back and delete deployments."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only deploying needs
    from mastra_deployer_oci.api.repository import Repository
    from mastra_deployer_oci.releases.release_log import Record, ReleaseLog

__all__ = ("destroy", "list_deployments", "promote", "rollback")

_LIST_HINT = "List the deployments: mastra deployments oci."
_NOT_ALLOWED = (400, 405, 501)


def list_deployments(
    settings: OciDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List each deployed image once, newest first.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param limit: how many deployments to return at most.
    :returns: the deployments.
    """
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.api.tags import parse_record_time
    from mastra_deployer_oci.releases.release import to_deployment
    from mastra_deployer_oci.releases.release_log import ReleaseLog

    with open_target(settings, credentials, actions="pull") as registry:
        log = ReleaseLog(registry, skip_unreadable=True)
        first_records = {short: names[-1] for short, names in log.group_names_by_image().items()}
        live_images: dict[str, str] = {}
        deployments: list[Deployment] = []
        for short in sorted(first_records, key=lambda item: first_records[item], reverse=True):
            if len(deployments) >= limit:
                break
            if (record := _select_record(log, short, settings.tag)) is None:
                continue
            if record.moves not in live_images:
                image = log.find_manifest(record.moves)
                live_images[record.moves] = image.digest if image else ""
            live = live_images[record.moves] == record.image
            time = parse_record_time(first_records[short])
            draft = not live and log.is_draft(record)
            deployments.append(
                to_deployment(registry, record, live=live, draft=draft, creation_time=time)
            )
        return deployments


def _select_record(log: ReleaseLog, short: str, production: str) -> Record | None:
    """Return the newest production record of an image, or else its newest preview record.

    Images of another production tag belong to another stage or app in the same repository.
    """
    records = list(log.iter_records(short))
    in_production = (item for item in records if item.moves == production)
    previews = (item for item in records if item.environment == "preview")
    return next(in_production, None) or next(previews, None)


def promote(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production tag to an image in the registry.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the deployment.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: when there is no such deployment.
    :raises ApiError: when the registry cannot read a tag that the command needs.
    """
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.releases.release import publish, to_deployment
    from mastra_deployer_oci.releases.release_log import ReleaseLog

    with open_target(settings, credentials) as registry:
        log = ReleaseLog(registry)
        record = _find_record(log, id, registry)
        report.step(f"Moving {registry.image.name}:{settings.tag}")
        event = dataclasses.replace(
            record, event="promote", environment="production", moves=settings.tag, back=""
        )
        return to_deployment(registry, publish(registry, log, event), live=True)


def rollback(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production tag to the previous image; each further call goes one image back.

    After a rollback to an ``id``, the next rollback without an ``id`` goes back to the image that
    was live before.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the deployment to go back to; empty for the previous one.
    :param report: receives progress.
    :returns: the deployment that is live now.
    :raises DeployError: when there is no deployment to go back to.
    :raises ApiError: when the registry cannot read a tag that the command needs.
    """
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.releases.release import publish, to_deployment
    from mastra_deployer_oci.releases.release_log import ReleaseLog

    with open_target(settings, credentials) as registry:
        log = ReleaseLog(registry)
        target = _find_rollback_target(log, id, settings.tag, registry)
        report.step(f"Moving {registry.image.name}:{settings.tag}")
        event = dataclasses.replace(target, event="rollback")
        record = publish(registry, log, event, keep_back=not id)
        return to_deployment(registry, record, live=True)


def _find_rollback_target(log: ReleaseLog, id: str, tag: str, registry: Repository) -> Record:
    """Return the record that a rollback restores.

    :raises DeployError: when there is no such record.
    """
    from mastra_deployer.kit import find_rollback_target, require_deployed

    def find_previous() -> str:
        current = log.find_current(tag)
        return current.back if current else ""

    def find(target: str) -> Record | None:
        if not id:
            return log.get(target)
        return require_deployed(
            log.find_newest(_find_record(log, id, registry).image, tag),
            f"{id!r} was never in production, so a rollback to it is not possible.",
            f"Promote it: mastra promote {id}.",
        )

    return find_rollback_target(id, find_previous, find)


def _find_record(log: ReleaseLog, id: str, registry: Repository) -> Record:
    """Return the newest record of an image.

    :raises DeployError: when there is no such deployment.
    """
    from mastra_deployer.kit import require_deployed
    from mastra_deployer_oci.api.tags import ID

    match = ID.fullmatch(id)
    record = next(log.iter_records(match[1]), None) if match else None
    return require_deployed(record, f"{registry.image.name} has no deployment {id!r}.", _LIST_HINT)


def destroy(settings: OciDeployer, credentials: Mapping[str, Secret], report: Report) -> bool:
    """Delete all manifests of deployments, and keep the repository's other contents.

    Images to which another production tag has pointed are kept.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param report: receives progress, and a note about the tag if it remains.
    :returns: whether the registry had anything to delete.
    :raises DeployError: when the registry does not allow deleting.
    :raises ApiError: when the registry cannot read a tag that the command needs.
    """
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.releases.release_log import ReleaseLog

    with open_target(settings, credentials, actions="pull,push,delete") as registry:
        log = ReleaseLog(registry)
        # Records are deleted last, so that an interrupted run can be repeated.
        own_records, other_records = _split_records(log, settings.tag)
        live = log.find_manifest(settings.tag)
        digests = _collect_digests(own_records, other_records)
        if live and own_records and live.digest in {record.image for record in other_records}:
            _delete_tag(registry, settings.tag, report)
        for count, digest in enumerate(digests, 1):
            _delete_manifest(registry, digest)
            report.advance(count, len(digests), "manifests")
        return bool(digests)


def _split_records(log: ReleaseLog, production: str) -> tuple[list[Record], list[Record]]:
    """Return the records of the production tag and of previews, and the records of other tags."""
    names = [name for names in log.group_names_by_image().values() for name in names]
    records = [record for record in map(log.get, names) if record is not None]

    def is_own(record: Record) -> bool:
        return record.moves == production or record.environment == "preview"

    return list(filter(is_own, records)), list(itertools.filterfalse(is_own, records))


def _collect_digests(own_records: list[Record], other_records: list[Record]) -> list[str]:
    images = {digest: None for record in own_records for digest in _list_manifests(record)}
    for record in other_records:
        for digest in _list_manifests(record):
            images.pop(digest, None)
    return [*images, *(record.to_document().digest for record in own_records)]


def _list_manifests(record: Record) -> list[str]:
    """Return the digests of an image and of its manifests for each platform."""
    return [record.image, *(str(item["digest"]) for item in record.children)]


def _delete_tag(registry: Repository, tag: str, report: Report) -> None:
    """Delete a tag but not its image, or report that the registry cannot do this."""
    try:
        registry.delete_manifest(tag)
    except ApiError as error:
        if error.status not in _NOT_ALLOWED:
            raise
        report.note(
            f"The tag {registry.image.name}:{tag} remains, because another production tag had the "
            "same image, and the registry cannot delete a single tag.",
            "Delete the tag in the registry's console.",
        )


def _delete_manifest(registry: Repository, digest: str) -> None:
    try:
        registry.delete_manifest(digest)
    except ApiError as error:
        if error.status not in _NOT_ALLOWED:
            raise
        raise DeployError(
            f"{registry.image.registry} does not allow deleting images: {error.message}",
            "Delete the images in the registry's console, or allow deletion in its configuration.",
        ) from None
