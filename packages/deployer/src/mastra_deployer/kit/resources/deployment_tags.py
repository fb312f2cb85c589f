"""Store facts with a deployment, in fields of the platform or in one text field."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from mastra_core.json_repair import repair_text
from mastra_core.pipeline import DeployRequest

__all__ = ("DeploymentTags",)

_NO_TAGS = " [mastra]"  # follows a message that would otherwise be read as tags
_TEXT = re.compile(
    r"(?P<message>.*?) ?\[mastra(?P<tags>(?: \w+=[^\s\]]*)+)\](?P<ends>(?: \[mastra\])*)", re.DOTALL
)
_IN_TEXT = ("fingerprint", "stage", "commit", "branch")  # the most important first
_NEVER_OMITTED = 2  # the first ones of these
_MORE = "\N{HORIZONTAL ELLIPSIS}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeploymentTags:
    """The fields of a ``Deployment`` that come from the request; empty if unknown.

    :param fingerprint: the fingerprint of the request.
    :param message: description of the deployment.
    :param branch: name of the git branch.
    :param commit: hash of the git commit.
    :param stage: ``production`` or ``preview``; a deployer sets it if the platform does not store
        the stage.
    """

    fingerprint: str = ""
    message: str = ""
    branch: str = ""
    commit: str = ""
    stage: str = ""

    @classmethod
    def from_request(cls, request: DeployRequest) -> DeploymentTags:
        """Return the tags of a deploy.

        :param request: options of the deploy.
        """
        return cls(
            fingerprint=request.fingerprint,
            message=request.message,
            branch=request.branch,
            commit=request.git.commit if request.git else "",
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, object], pattern: str = "{name}") -> DeploymentTags:
        """Read the tags from labels, annotations or metadata.

        :param fields: the fields of a deployment; fields that ``to_fields`` does not write are
            ignored.
        :param pattern: the pattern that ``to_fields`` was called with.
        :raises ValueError: for a pattern that contains neither ``{name}`` nor ``{Name}``.
        """
        keys = _name_keys(pattern)
        return cls(**{name: str(fields.get(key) or "") for name, key in keys.items()})

    def to_fields(self, pattern: str = "{name}") -> dict[str, str]:
        """Return the tags as labels or metadata, without empty tags.

        :param pattern: the names of the fields: ``mastra.{name}`` gives ``mastra.fingerprint``, and
            ``mastra{Name}`` gives ``mastraFingerprint``.
        :raises ValueError: for a pattern that contains neither ``{name}`` nor ``{Name}``.
        """
        values = dataclasses.asdict(self)
        return {key: values[name] for name, key in _name_keys(pattern).items() if values[name]}

    @classmethod
    def from_text(cls, text: str) -> DeploymentTags:
        """Read the tags from a text that ``to_text`` wrote; use any other text as the message.

        :param text: the text of the field.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            return cls(message=text)
        if found["ends"]:
            return cls(message=found[0].removesuffix(_NO_TAGS))
        pairs = (pair.split("=", 1) for pair in found["tags"].split())
        tags = {name: unquote(value) for name, value in pairs if name in _IN_TEXT}
        return cls(message=found["message"], **tags)

    def to_text(self, limit: int = 256) -> str:
        """Return the tags as one readable line, such as ``Fix the cart [mastra fingerprint=...]``.

        If the line is too long, the message is shortened. If the line is still too long, the branch
        and the commit are left out. The fingerprint and the stage are never left out. If there are
        no tags, the line is the message. U+FFFD replaces what UTF-8 cannot encode.

        :param limit: the largest number of bytes of the line, in UTF-8.
        :raises ValueError: when the limit has no room for the fingerprint and the stage.
        """
        message = " ".join(repair_text(self.message).split())
        if not any(getattr(self, name) for name in _IN_TEXT):
            return _mark_message(message, limit)
        for count in range(len(_IN_TEXT), _NEVER_OMITTED - 1, -1):
            tags = self._format_tags(_IN_TEXT[:count])
            size = limit - len(tags.encode())
            if size >= 0:
                text = _truncate(message, size - 1)
                return f"{text} {tags}".strip() if text else tags
        raise ValueError(
            f"The limit of {limit} bytes is too small for the fingerprint and the stage."
        )

    def _format_tags(self, names: tuple[str, ...]) -> str:
        pairs = ((name, quote(repair_text(getattr(self, name)), safe="/")) for name in names)
        return f"[mastra {' '.join(f'{name}={value}' for name, value in pairs if value)}]"


def _name_keys(pattern: str) -> dict[str, str]:
    """Map the name of each field to its key, such as ``mastra.stage``."""
    if "{name}" not in pattern and "{Name}" not in pattern:
        raise ValueError(f"The pattern {pattern!r} contains neither {{name}} nor {{Name}}.")
    names = (field.name for field in dataclasses.fields(DeploymentTags))
    return {name: pattern.format(name=name, Name=name.capitalize()) for name in names}


def _mark_message(message: str, limit: int) -> str:
    """Mark a message without tags, so that ``from_text`` reads it as a message."""
    text = _truncate(message, limit)
    if not _TEXT.fullmatch(text):
        return text
    return _truncate(message, limit - len(_NO_TAGS)) + _NO_TAGS


def _truncate(text: str, size: int) -> str:
    """Return the start of a text with a limited number of bytes, without a cut character."""
    if len(text.encode()) <= size:
        return text
    short = text.encode()[: max(0, size - len(_MORE.encode()))].decode(errors="ignore").rstrip()
    return f"{short}{_MORE}" if short else ""
