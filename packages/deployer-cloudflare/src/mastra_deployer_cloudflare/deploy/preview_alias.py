"""The alias of a preview, which gives a branch the same address for every version."""

from __future__ import annotations

import hashlib
import re

__all__ = ("build_alias",)

_MAX_LABEL = 63  # characters of one label of a host name: ALIAS-NAME
_MIN_ALIAS = 8  # characters that leave room for a part of the branch and its hash
_HASH = 4
_NO_BRANCH = "preview"


def build_alias(branch: str, name: str) -> str:
    """Return the alias for a branch; empty if the name of the Worker leaves no room for one.

    A long name of a branch is cut, and a part of the hash of the whole name is appended.

    :param branch: name of the git branch; may be empty.
    :param name: the name of the Worker.
    """
    text = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-") or _NO_BRANCH
    if not text[0].isalpha():
        text = f"b-{text}"
    room = _MAX_LABEL - len(name) - 1
    if len(text) <= room:
        return text
    if room < _MIN_ALIAS:
        return ""
    suffix = hashlib.sha256(branch.encode()).hexdigest()[:_HASH]
    return f"{text[: room - _HASH - 1].rstrip('-')}-{suffix}"
