"""Build and parse the tags that each deployment creates in a repository."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

from mastra_core.errors import ConfigError
from mastra_deployer_oci.api.reference import TAG

__all__ = (
    "ID",
    "RECORD",
    "build_id",
    "build_record_tag",
    "check_production_tag",
    "choose_tag",
    "parse_record_time",
)

ID = re.compile(r"mastra-([0-9a-f]{12})")
RECORD = re.compile(r"mastra-\d{8}t\d{9}z-([0-9a-f]{12})")
_PREVIEW = "preview-"
_RESERVED = ("mastra-", _PREVIEW)  # the tags of deployments and of previews
_MAX_LENGTH = 100  # a tag has 128 characters at most


def build_id(digest: str) -> str:
    """Return the permanent tag of an image: ``mastra-`` and 12 digits of its digest.

    :param digest: digest of the image.
    :returns: the tag, which is also the id of the deployment.
    """
    return f"mastra-{digest.removeprefix('sha256:')[:12]}"


def build_record_tag(creation_time: dt.datetime, digest: str) -> str:
    """Return the tag of a release record; sorting these tags by name sorts them by time.

    :param creation_time: when the record was written.
    :param digest: digest of the image that the record describes.
    :returns: the tag.
    """
    timestamp = f"{creation_time:%Y%m%dt%H%M%S}{creation_time.microsecond // 1000:03}z"
    return f"mastra-{timestamp}-{digest.removeprefix('sha256:')[:12]}"


def parse_record_time(name: str) -> dt.datetime:
    """Return the time that a record's tag contains, in UTC with milliseconds.

    :param name: tag of the record.
    :returns: the time.
    """
    text = name.split("-")[1].rstrip("z") + "000"
    return dt.datetime.strptime(text, "%Y%m%dt%H%M%S%f").replace(tzinfo=dt.UTC)


def choose_tag(production: str, environment: str, branch: str) -> str:
    """Return the tag that a deploy moves: the production tag, or the tag of a branch.

    If the branch name is not a valid tag, a hash is appended, so that two branches never have the
    same tag.

    :param production: name of the tag that production uses.
    :param environment: ``production`` or ``preview``.
    :param branch: name of the branch; empty when there is none.
    :returns: the tag.
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


def check_production_tag(tag: str) -> None:
    """Refuse a production tag that no registry accepts, or that a preview would move.

    :param tag: the setting ``tag``.
    :raises ConfigError: when the tag is not valid, or is reserved.
    """
    if not TAG.fullmatch(tag):
        raise ConfigError(
            f"tag={tag!r} is not a valid tag.",
            "Use at most 128 letters, digits, '_', '.' and '-'. Do not begin with '.' or '-'.",
        )
    if tag.startswith(_RESERVED):
        raise ConfigError(
            f"tag={tag!r} is reserved for deployments and previews.",
            "Choose a production tag that does not begin with 'mastra-' or 'preview-'.",
        )
