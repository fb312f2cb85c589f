"""Read and write the strings of a pylock.toml, since a path may contain any character."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable

__all__ = ("quote", "replace_paths")

_PATH = re.compile(r"""(?<=[{,] )(path = (?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'))""")


def quote(text: str) -> str:
    """Return a TOML string, in quotation marks.

    :param text: the value of the string.
    """
    # A JSON string is a TOML string too, unless it contains pairs of surrogates or a raw DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def replace_paths(text: str, replace: Callable[[str], str]) -> str:
    """Replace each ``path`` in the inline tables of a lock.

    :param text: the lock.
    :param replace: receives a path, and returns the new path.
    """
    return _PATH.sub(
        lambda match: f"path = {quote(replace(tomllib.loads(match[1])['path']))}", text
    )
