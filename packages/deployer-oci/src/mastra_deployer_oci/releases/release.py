"""Makes an image live: a record first, then the one request that moves the tag."""

from __future__ import annotations

import dataclasses
import datetime as dt

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment
from mastra_deployer_oci.api.documents import Document
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.api.tags import build_id, build_record_tag
from mastra_deployer_oci.releases.release_log import Record, ReleaseLog

__all__ = ("get_image", "publish", "to_deployment")


def publish(
    registry: Repository,
    log: ReleaseLog,
    event: Record,
    *,
    same_app: bool = False,
    keep_back: bool = False,
) -> Record:
    """Move a tag; nothing happens where it shows that image already, for the same reasons.

    :param wanted: the event; its name, time and ``back`` are set here.
    :param same_app: whether what the tag shows is the same app, to which a platform is added.
    :param further_back: keep ``back`` as it is: the next rollback goes further.
    :raises DeployError: where the image is not in the registry any more.
    """
    image = get_image(registry, event)
    current = log.find_current(event.moves)
    record = event if keep_back else _link_previous(event, current, same_app=same_app)
    if current is not None and current.is_equivalent(
        dataclasses.replace(record, event=current.event)
    ):
        return current
    latest = log.find_newest(record.image, record.moves)
    if latest is None or not latest.is_equivalent(record):
        # Not there from a deploy that was cut off before it moved the tag.
        latest = _assign_name(record, log.next_time())
        registry.put_manifest(latest.name, latest.to_document())
    registry.put_manifest(record.moves, image)
    return latest


def get_image(registry: Repository, record: Record) -> Document:
    """What a record is about.

    :raises DeployError: where it is not in the registry any more.
    """
    image = registry.find_manifest(record.image)
    if image is None:
        raise DeployError(
            f"The image {build_id(record.image)!r} is not in {registry.image.name} any more.",
            "Deploy it again; keep the tags that begin with mastra- from being cleaned up.",
        )
    return image


def _link_previous(record: Record, current: Record | None, *, same_app: bool) -> Record:
    """With the record to go back to: what is shown now, or what was before that."""
    if current is None:
        return record
    is_same_image = same_app or current.image == record.image
    return dataclasses.replace(record, back=current.back if is_same_image else current.name)


def _assign_name(record: Record, moment: dt.datetime) -> Record:
    return dataclasses.replace(record, name=build_record_tag(moment, record.image), created=moment)


def to_deployment(
    registry: Repository, record: Record, *, live: bool, created: dt.datetime | None = None
) -> Deployment:
    """A record as the host knows deployments."""
    return Deployment(
        target="oci",
        id=build_id(record.image),
        url=f"{registry.image.name}@{record.image}",
        environment=record.environment,
        created=created or record.created,
        live=live,
        message=record.message,
        commit=record.commit,
        branch=record.branch,
        fingerprint=record.fingerprint,
    )
