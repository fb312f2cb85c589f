"""Make an image live: write a record, and then move the tag with one request."""

from __future__ import annotations

import dataclasses
import datetime as dt

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment
from mastra_deployer_oci.api.documents import Document
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.api.tags import build_id, build_record_tag
from mastra_deployer_oci.releases.release_log import Record, ReleaseLog

__all__ = ("get_image", "publish", "record_draft", "to_deployment")


def publish(
    registry: Repository,
    log: ReleaseLog,
    event: Record,
    *,
    same_app: bool = False,
    keep_back: bool = False,
) -> Record:
    """Write a release record and move its tag; do nothing if an equivalent record is current.

    :param registry: the target repository.
    :param log: the log of releases.
    :param event: the record to write; this function sets its name, time and ``back``.
    :param same_app: whether the tag already has the same version of the app, so that the release
        only adds a platform.
    :param keep_back: whether to keep the ``back`` of ``event``, so that the next rollback goes one
        record further back.
    :returns: the record that is current now.
    :raises DeployError: when the registry no longer has the image, or cannot read it.
    """
    image = get_image(registry, event)
    current = log.find_current(event.moves)
    if log.unreadable_tags:
        record = dataclasses.replace(event, back=_find_back(log, event, same_app=same_app))
    else:
        record = event if keep_back else _link_previous(event, current, same_app=same_app)
        if current is not None and current.is_equivalent(
            dataclasses.replace(record, event=current.event)
        ):
            return current
    latest = log.find_newest_of_image(record.image)
    if latest is None or log.unreadable_tags or not latest.is_equivalent(record):
        # Not written already by a deploy that was interrupted before it moved the tag.
        latest = _assign_name(record, log.next_time())
        registry.put_manifest(latest.name, latest.to_document())
    registry.put_manifest(record.moves, image)
    return latest


def record_draft(registry: Repository, log: ReleaseLog, event: Record) -> Record:
    """Write the record of a draft, so that the draft can be promoted. No tag points to a draft.

    :param registry: the target repository.
    :param log: the log of releases.
    :param event: the record to write; this function sets its name and time.
    :returns: the record of the image.
    """
    latest = log.find_newest_of_image(event.image)
    if latest is None or log.unreadable_tags or not latest.is_equivalent(event):
        latest = _assign_name(event, log.next_time())
        registry.put_manifest(latest.name, latest.to_document())
    return latest


def get_image(registry: Repository, record: Record) -> Document:
    """Fetch the image of a record.

    :param registry: the target repository.
    :param record: the record.
    :returns: the manifest or the index of the image.
    :raises DeployError: when the registry no longer has the image, or cannot read it.
    """
    image = registry.find_readable_manifest(record.image)
    if image is None:
        raise DeployError(
            f"{registry.image.name} no longer has a readable image {build_id(record.image)!r}.",
            "Deploy that version of the app again. Exclude tags that begin with mastra- from the "
            "registry's clean-up rules.",
        )
    return image


def _link_previous(record: Record, current: Record | None, *, same_app: bool) -> Record:
    """Set ``back`` to ``current``, or to ``current.back`` if ``current`` has the same image."""
    if current is None:
        return record
    is_same_image = same_app or current.image == record.image
    return dataclasses.replace(record, back=current.back if is_same_image else current.name)


def _find_back(log: ReleaseLog, record: Record, *, same_app: bool) -> str:
    """Return the ``back`` of ``record`` if the registry cannot read the tag or the current record.

    If the live image has another record that the registry cannot read, ``back`` is that record. The
    rollback then fails and names the record, instead of going back too far without a message.
    """
    live = log.find_manifest(record.moves)
    if live is not None and live.digest != record.image and not same_app:
        return max(log.unreadable_tags)
    newest = log.find_newest_of_tag(record.moves)
    if newest is None:
        return ""
    live_image = live.digest if live else record.image
    return newest.back if newest.image == live_image else newest.name


def _assign_name(record: Record, creation_time: dt.datetime) -> Record:
    return dataclasses.replace(
        record, name=build_record_tag(creation_time, record.image), created=creation_time
    )


def to_deployment(
    registry: Repository,
    record: Record,
    *,
    live: bool,
    draft: bool = False,
    creation_time: dt.datetime | None = None,
) -> Deployment:
    """Convert a record to a deployment.

    :param registry: the target repository.
    :param record: the record.
    :param live: whether the record's tag points to the image.
    :param draft: whether the production tag never pointed to the image.
    :param creation_time: when the image was first deployed; ``None`` for the time of the record.
    :returns: the deployment.
    """
    return Deployment(
        target="oci",
        id=build_id(record.image),
        url=f"{registry.image.name}@{record.image}",
        environment=record.environment,
        created=creation_time or record.created,
        live=live,
        message=record.message,
        commit=record.commit,
        branch=record.branch,
        fingerprint=record.fingerprint,
        draft=draft,
    )
