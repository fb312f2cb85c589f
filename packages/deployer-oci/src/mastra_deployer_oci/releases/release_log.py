"""The history of an app, kept in the registry itself.

Every deploy, promotion and rollback leaves a record: a small image index with annotations, under
a tag of its own that sorts by time. A record is written before its tag moves, and moving a tag is
one request. So what is live is told by the tag alone, and where to go back to by the newest
record of the image it shows: a record whose tag never moved belongs to an image that is not
shown, and is passed over.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from mastra_core.pipeline import Stage
from mastra_deployer_oci.api.documents import Document, build_index
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.api.tags import RECORD, parse_record_time

__all__ = ("Record", "ReleaseLog")

_CREATED = "org.opencontainers.image.created"
_REVISION = "org.opencontainers.image.revision"
_ANNOTATED_FIELDS = (
    "image",
    "event",
    "environment",
    "moves",
    "back",
    "message",
    "branch",
    "fingerprint",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One event.

    :param image: digest of what was deployed.
    :param event: ``deploy``, ``promote`` or ``rollback``.
    :param moves: the tag that came to show it.
    :param back: the record that was current before: where a rollback goes. That of a rollback
        without an id is the ``back`` of the record it went to, so that another goes further.
    :param children: descriptors of the image's manifests, one for each platform.
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
        """As the registry keeps it. It can be pulled like the image it is about."""
        annotations = {f"mastra.{key}": getattr(self, key) for key in _ANNOTATED_FIELDS}
        annotations |= {_CREATED: self.created.isoformat(), _REVISION: self.commit}
        return build_index(self.children, {key: text for key, text in annotations.items() if text})

    @classmethod
    def from_document(cls, name: str, document: Document) -> Record:
        """The record under the tag ``name``."""
        value = document.value
        annotations = value.get("annotations", {})
        return cls(
            name=name,
            children=tuple(value["manifests"]),
            created=dt.datetime.fromisoformat(annotations[_CREATED]),
            commit=annotations.get(_REVISION, ""),
            **{key: annotations.get(f"mastra.{key}", "") for key in _ANNOTATED_FIELDS},
        )

    def is_equivalent(self, other: Record) -> bool:
        """Whether two records differ in their time at most."""
        aligned = dataclasses.replace(other, name=self.name, created=self.created)
        return self.to_document() == aligned.to_document()


class ReleaseLog:
    """All records of a repository. Tags are listed once; a record is read when it is needed."""

    def __init__(self, registry: Repository) -> None:
        self._registry = registry
        self.tags = registry.list_tags()
        self._names = sorted((tag for tag in self.tags if RECORD.fullmatch(tag)), reverse=True)
        self._records: dict[str, Record] = {}

    def get(self, name: str) -> Record | None:
        """One record; ``None`` where it is gone."""
        if name and name not in self._records:
            document = self._registry.find_manifest(name)
            if document is None:
                return None
            self._records[name] = Record.from_document(name, document)
        return self._records.get(name)

    def group_names_by_image(self) -> dict[str, list[str]]:
        """The records of each image, named by the beginning of its digest; the newest first."""
        names_by_image: dict[str, list[str]] = {}
        for name in self._names:
            names_by_image.setdefault(name.rpartition("-")[2], []).append(name)
        return names_by_image

    def iter_records(self, short: str) -> Iterator[Record]:
        """Records of an image, the newest first.

        :param short: the first twelve digits of its digest.
        """
        for name in self.group_names_by_image().get(short, ()):
            if (record := self.get(name)) is not None:
                yield record

    def find_current(self, tag: str) -> Record | None:
        """The record that made a tag what it is; ``None`` where nobody knows."""
        image = self._registry.find_manifest(tag)
        return self.find_newest(image.digest, tag) if image else None

    def find_newest(self, image: str, tag: str) -> Record | None:
        """The last record of an image under a tag."""
        short = image.removeprefix("sha256:")[:12]
        return next((item for item in self.iter_records(short) if item.moves == tag), None)

    def next_time(self) -> dt.datetime:
        """Now, but later than all records there are, whatever this machine's clock says."""
        now = dt.datetime.now(dt.UTC)
        if not self._names:
            return now
        return max(now, parse_record_time(self._names[0]) + dt.timedelta(milliseconds=1))
