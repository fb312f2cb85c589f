"""Store the log of an app's releases in the registry itself.

Every deploy, promotion and rollback writes a record. A record is a small image index with
annotations. The tag of a record contains the time, so that records can be sorted. A record is
written before the tag of the deployment moves, and moving a tag is one request. Therefore the tag
alone decides which image is live. The newest record of the live image decides to which image a
rollback returns. If the tag was never moved for a record, the image of the record is not live, and
the record is ignored.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mastra_core.errors import ApiError
from mastra_core.pipeline import Stage
from mastra_deployer.kit import DeploymentTags
from mastra_deployer_oci.api.documents import Document, build_index
from mastra_deployer_oci.api.repository import Repository, is_unreadable
from mastra_deployer_oci.api.tags import RECORD, build_id, parse_record_time

__all__ = ("DRAFT", "Record", "ReleaseLog")

DRAFT = "draft"

_CREATED = "org.opencontainers.image.created"
_REVISION = "org.opencontainers.image.revision"
_TAG_FIELDS = "mastra.{name}"
_ANNOTATED_FIELDS = ("image", "event", "environment", "moves", "back")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """The record of one release.

    :param name: tag of the record.
    :param image: digest of the released image.
    :param event: ``deploy``, ``promote``, ``rollback``, or ``draft`` for an image that was not
        published.
    :param environment: ``production`` or ``preview``.
    :param moves: the tag that was moved to the image.
    :param created: when the record was written.
    :param children: descriptors of the image's manifests, one for each platform.
    :param back: name of the record to which the next rollback returns: the record that was current
        before. A rollback without an id copies the ``back`` of the record that it restores, so that
        the next rollback goes one record further back.
    :param message: message of the deploy.
    :param branch: branch of the deploy.
    :param commit: commit of the deploy.
    :param fingerprint: fingerprint of the deploy.
    """

    name: str
    image: str
    event: str
    environment: Stage
    moves: str
    created: dt.datetime
    children: tuple[Mapping[str, Any], ...]
    back: str = ""
    message: str = ""
    branch: str = ""
    commit: str = ""
    fingerprint: str = ""

    def to_document(self) -> Document:
        """Return the record as an image index, so that it can be pulled like an image."""
        annotations = {f"mastra.{key}": getattr(self, key) for key in _ANNOTATED_FIELDS}
        annotations |= self._get_tags().to_fields(_TAG_FIELDS)
        annotations |= {_CREATED: self.created.isoformat(), _REVISION: self.commit}
        return build_index(self.children, {key: text for key, text in annotations.items() if text})

    def _get_tags(self) -> DeploymentTags:
        """Return all tags except the commit, because the commit has a standard annotation."""
        return DeploymentTags(
            fingerprint=self.fingerprint, message=self.message, branch=self.branch
        )

    @classmethod
    def from_document(cls, name: str, document: Document) -> Record:
        """Parse a record.

        :param name: tag of the record.
        :param document: the document under the record's tag.
        :returns: the record.
        """
        value = document.value
        annotations = value.get("annotations", {})
        tags = DeploymentTags.from_fields(annotations, _TAG_FIELDS)
        return cls(
            name=name,
            children=tuple(value["manifests"]),
            created=dt.datetime.fromisoformat(annotations[_CREATED]),
            fingerprint=tags.fingerprint,
            message=tags.message,
            branch=tags.branch,
            commit=annotations.get(_REVISION, ""),
            **{key: annotations.get(f"mastra.{key}", "") for key in _ANNOTATED_FIELDS},
        )

    def is_equivalent(self, other: Record) -> bool:
        """Return whether two records are equal except for name and time.

        :param other: the record to compare with.
        """
        aligned = dataclasses.replace(other, name=self.name, created=self.created)
        return self.to_document() == aligned.to_document()


class ReleaseLog:
    """All records of a repository; a record is fetched only when it is needed.

    A registry that was killed while it stored a record or moved a tag may respond with 500 until
    the record or tag is stored again. ``unreadable_tags`` has the tags that were skipped so far.

    :param registry: the target repository.
    :param skip_unreadable: whether to treat a tag that the registry cannot read as missing. This is
        safe only for commands that neither delete an image nor choose the image to make live.
    """

    def __init__(self, registry: Repository, *, skip_unreadable: bool = False) -> None:
        self._registry = registry
        self._skip_unreadable = skip_unreadable
        self.unreadable_tags: list[str] = []
        self.tags = registry.list_tags()
        self._names = sorted((tag for tag in self.tags if RECORD.fullmatch(tag)), reverse=True)
        self._records: dict[str, Record] = {}

    def get(self, name: str) -> Record | None:
        """Fetch one record.

        :param name: tag of the record; may be empty.
        :returns: the record, or ``None`` when it does not exist or is skipped.
        :raises ApiError: when the registry cannot read the record.
        """
        if name and name not in self._records:
            document = self.find_manifest(name)
            if document is None:
                return None
            self._records[name] = Record.from_document(name, document)
        return self._records.get(name)

    def find_manifest(self, tag: str) -> Document | None:
        """Fetch the image or the record of a tag.

        :param tag: the tag.
        :returns: the document, or ``None`` when the tag does not exist or is skipped.
        :raises ApiError: when the registry cannot read the tag.
        """
        if tag in self.unreadable_tags:
            return None
        try:
            return self._registry.find_manifest(tag)
        except ApiError as error:
            if not is_unreadable(error):
                raise
            if not self._skip_unreadable:
                message = f"The registry cannot read {self._registry.image.name}:{tag}."
                raise ApiError(message, _build_hint(tag), status=error.status) from None
            self.unreadable_tags.append(tag)
            return None

    def group_names_by_image(self) -> dict[str, list[str]]:
        """Group the names of all records by image, newest first.

        :returns: the names of the records, by the first twelve digits of the image's digest.
        """
        names_by_image: dict[str, list[str]] = {}
        for name in self._names:
            names_by_image.setdefault(name.rpartition("-")[2], []).append(name)
        return names_by_image

    def iter_records(self, short: str) -> Iterator[Record]:
        """Yield the records of an image, newest first.

        :param short: first twelve digits of the image's digest.
        :returns: the records.
        """
        for name in self.group_names_by_image().get(short, ()):
            if (record := self.get(name)) is not None:
                yield record

    def find_current(self, tag: str) -> Record | None:
        """Return the record for the current image of a tag.

        :param tag: the tag.
        :returns: the record, or ``None`` when mastra did not move the tag.
        """
        image = self.find_manifest(tag)
        return self.find_newest(image.digest, tag) if image else None

    def find_newest(self, image: str, tag: str) -> Record | None:
        """Return the newest record of an image under a tag, except the records of drafts.

        :param image: digest of the image.
        :param tag: the tag.
        :returns: the record, or ``None``.
        """
        return _find_release(self.iter_records(_shorten(image)), tag)

    def find_newest_of_image(self, image: str) -> Record | None:
        """Return the newest record of an image, for whichever tag it is.

        :param image: digest of the image.
        :returns: the record, or ``None``.
        """
        return next(self.iter_records(_shorten(image)), None)

    def find_newest_of_tag(self, tag: str) -> Record | None:
        """Return the newest record that moves a tag, except the records of drafts.

        :param tag: the tag.
        :returns: the record, or ``None``.
        """
        records = map(self.get, self._names)
        return _find_release((item for item in records if item is not None), tag)

    def is_draft(self, record: Record) -> bool:
        """Return whether a record belongs to an image to which no tag was ever moved.

        :param record: the newest record of the image under its tag.
        """
        return record.event == DRAFT and self.find_newest(record.image, record.moves) is None

    def next_time(self) -> dt.datetime:
        """Return the current time, or a later time if the newest record has a later time."""
        now = dt.datetime.now(dt.UTC)
        if not self._names:
            return now
        return max(now, parse_record_time(self._names[0]) + dt.timedelta(milliseconds=1))


def _shorten(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _find_release(records: Iterable[Record], tag: str) -> Record | None:
    return next((item for item in records if item.event != DRAFT and item.moves == tag), None)


def _build_hint(tag: str) -> str:
    """Return the cure for a tag that the registry cannot read: a deploy stores it again."""
    record = RECORD.fullmatch(tag)
    if record is None:
        return "Run `mastra deploy` with --prod. The deploy stores the tag again."
    return (
        f"Deploy the version {build_id(record[1])!r} again to each stage that uses it. "
        "Before `mastra destroy`, also delete the tag in the registry's console or storage."
    )
