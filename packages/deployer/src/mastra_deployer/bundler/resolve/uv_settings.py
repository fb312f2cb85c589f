"""Read the settings of uv in the user's variables and files, which influence a resolution."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mastra_deployer.bundler.locks.lock_source import LockSource

__all__ = ("has_links", "list_user_files", "list_user_options", "read_files", "read_variables")

# Variables that influence a resolution.
_VARIABLES = (
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"),
    *("UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_RESOLUTION", "UV_NO_INDEX", "UV_INDEX_STRATEGY"),
)
# Variables that name files, by the option that they replace. uv ignores a variable if the option is
# passed.
_FILE_VARIABLES = {"--constraint": "UV_CONSTRAINT", "--override": "UV_OVERRIDE"}
_LINKS = re.compile(r"find-links|index-strategy")


def read_variables() -> list[str]:
    """Return the values of the variables that influence a resolution; empty if they are unset."""
    return [os.environ.get(name, "") for name in _VARIABLES]


def list_user_options(source: LockSource) -> list[str]:
    """Return uv's options for the files that the user's variables name.

    If a lock decides all versions, these files have no effect, as in ``uv sync``.

    :param source: the file that decides the versions.
    """
    if source.locked:
        return []
    return [
        text
        for option, name in _FILE_VARIABLES.items()
        for path in os.environ.get(name, "").split()
        for text in (option, path if "://" in path else os.path.abspath(path))  # noqa: PTH100  # a name
    ]


def list_user_files(source: LockSource) -> list[Path]:
    """Return the files outside of the project that influence a resolution.

    :param source: the file that decides the versions.
    """
    options = list_user_options(source)[1::2]
    configured = os.environ.get("UV_CONFIG_FILE")
    # Without HOME and an entry in the table of users, the path stays relative and does not exist.
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  # pathlib raises
    settings = [configured] if configured else [f"{home}/uv/uv.toml", "/etc/uv/uv.toml"]
    return [Path(file) for file in (*options, *settings)]


def has_links(source: LockSource) -> bool:
    """Return whether one source of packages may have versions that another source lacks.

    :param source: the file that decides the versions.
    """
    if source.indexes.links or any(map(os.environ.get, ("UV_FIND_LINKS", "UV_INDEX_STRATEGY"))):
        return True
    return any(map(_LINKS.search, read_files(source.files)))


def read_files(paths: Iterable[Path]) -> list[str]:
    """Return the contents of the readable files, even of files that are not UTF-8.

    uv ignores settings that it has no permission to read, such as those of another user after
    ``sudo -u``.

    :param paths: the files.
    """
    contents = []
    for path in paths:
        with contextlib.suppress(OSError):
            contents.append(path.read_text("utf-8", "surrogateescape"))
    return contents
