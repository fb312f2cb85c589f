"""What things are called in a repository."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

__all__ = ("ID", "RECORD", "build_id", "build_record_tag", "choose_tag", "parse_record_time")

ID = re.compile(r"mastra-([0-9a-f]{12})")
RECORD = re.compile(r"mastra-\d{8}t\d{9}z-([0-9a-f]{12})")
_PREVIEW = "preview-"
_MAX_LENGTH = 100  # of 128 that a tag may have


def build_id(digest: str) -> str:
    """An image's own tag, which never moves: ``mastra-`` and the beginning of its digest."""
    return f"mastra-{digest.removeprefix('sha256:')[:12]}"


def build_record_tag(moment: dt.datetime, digest: str) -> str:
    """A record's tag: sorted by name, records are sorted by time."""
    timestamp = f"{moment:%Y%m%dt%H%M%S}{moment.microsecond // 1000:03}z"
    return f"mastra-{timestamp}-{digest.removeprefix('sha256:')[:12]}"


def parse_record_time(name: str) -> dt.datetime:
    """When a record was made, to the millisecond, as its tag says."""
    text = name.split("-")[1].rstrip("z") + "000"
    return dt.datetime.strptime(text, "%Y%m%dt%H%M%S%f").replace(tzinfo=dt.UTC)


def choose_tag(production: str, environment: str, branch: str) -> str:
    """The tag that a deploy moves: production's, or that of a branch.

    A branch whose name cannot be a tag as it is gets a mark, so that no two share one.
    """
    if environment == "production":
        return production
    if not branch:
        return f"{_PREVIEW}local"
    slug = re.sub(r"[^a-z0-9._-]+", "-", branch.lower()).strip("-.")[:_MAX_LENGTH]
    if slug != branch:
        suffix = hashlib.sha256(branch.encode()).hexdigest()[:6]
        slug = f"{slug}-{suffix}"
    return _PREVIEW + slug
