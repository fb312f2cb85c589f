"""Makes an image live: a record first, then the one request that moves the tag."""

from __future__ import annotations

import dataclasses
import datetime as dt

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment
from mastra_deployer_oci.api.documents import Document
from mastra_deployer_oci.api.registry import Registry
from mastra_deployer_oci.api.tags import id_of, record_name
from mastra_deployer_oci.releases.release_log import Log, Record

__all__ = ("deployment_of", "go_live", "shown_image")


def go_live(
    registry: Registry,
    log: Log,
    wanted: Record,
    *,
    same_app: bool = False,
    further_back: bool = False,
) -> Record:
    """Move a tag; nothing happens where it shows that image already, for the same reasons.

    :param wanted: the event; its name, time and ``back`` are set here.
    :param same_app: whether what the tag shows is the same app, to which a platform is added.
    :param further_back: keep ``back`` as it is: the next rollback goes further.
    :raises DeployError: where the image is not in the registry any more.
    """
    image = shown_image(registry, wanted)
    now = log.current(wanted.moves)
    record = wanted if further_back else _linked(wanted, now, same_app=same_app)
    if now is not None and now.same_facts(dataclasses.replace(record, event=now.event)):
        return now
    again = log.newest(record.image, record.moves)
    if again is None or not again.same_facts(record):
        # Not there from a deploy that was cut off before it moved the tag.
        again = _stamped(record, log.next_moment())
        registry.put_manifest(again.name, again.document())
    registry.put_manifest(record.moves, image)
    return again


def shown_image(registry: Registry, record: Record) -> Document:
    """What a record is about.

    :raises DeployError: where it is not in the registry any more.
    """
    image = registry.manifest(record.image)
    if image is None:
        raise DeployError(
            f"The image {id_of(record.image)!r} is not in {registry.image.name} any more.",
            "Deploy it again; keep the tags that begin with mastra- from being cleaned up.",
        )
    return image


def _linked(record: Record, now: Record | None, *, same_app: bool) -> Record:
    """With the record to go back to: what is shown now, or what was before that."""
    if now is None:
        return record
    same = same_app or now.image == record.image
    return dataclasses.replace(record, back=now.back if same else now.name)


def _stamped(record: Record, moment: dt.datetime) -> Record:
    return dataclasses.replace(record, name=record_name(moment, record.image), created=moment)


def deployment_of(
    registry: Registry, record: Record, *, live: bool, created: dt.datetime | None = None
) -> Deployment:
    """A record as the host knows deployments."""
    return Deployment(
        target="oci",
        id=id_of(record.image),
        url=f"{registry.image.name}@{record.image}",
        environment=record.environment,
        created=created or record.created,
        live=live,
        message=record.message,
        commit=record.commit,
        branch=record.branch,
        fingerprint=record.fingerprint,
    )
