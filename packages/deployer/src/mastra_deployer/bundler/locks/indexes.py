"""Read the package indexes that a project's files name, and the credentials in their URLs.

uv gets the credentials in environment variables, because every user of the machine can read the
arguments of a command, and a file with credentials could remain on the disk.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable

from mastra_core.errors import ConfigError

__all__ = ("Indexes", "add_credentials", "expand_variables", "remove_credentials")

# A password may contain an @, a # or a ? that is not encoded: the last @ is the end of the
# credentials.
_CREDENTIALS = re.compile(r"(https?://)[^/\s\"'`]*@", re.IGNORECASE)
_PYPI = "https://pypi.org/simple"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indexes:
    """Sources of packages, in addition to those in uv's own configuration.

    :param default: the index that replaces PyPI.
    :param extra: the indexes to search before the default index, in this order.
    :param links: pages or directories that list files of packages.
    :param only_links: whether only links are used, and no index.
    :param prereleases: whether pre-releases are allowed.
    """

    default: str = dataclasses.field(default="", repr=False)
    extra: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    links: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    only_links: bool = False
    prereleases: bool = False

    def to_lines(self) -> tuple[str, ...]:
        """Return lines for a requirements file: the options that ``to_environment`` lacks."""
        return ("--no-index",) if self.only_links else ()

    def to_environment(self) -> dict[str, str]:
        """Return variables for uv; the user's own indexes and links come last in each list."""
        variables = {
            # An entry for PyPI itself must not override the user's own mirror of PyPI.
            "UV_DEFAULT_INDEX": "" if self.default.rstrip("/") == _PYPI else self.default,
            "UV_EXTRA_INDEX_URL": _join_with_variable(" ", self.extra, "UV_EXTRA_INDEX_URL"),
            "UV_FIND_LINKS": _join_with_variable(",", self.links, "UV_FIND_LINKS"),
            "UV_PRERELEASE": "allow" if self.prereleases else "",
        }
        return {name: value for name, value in variables.items() if value}


def remove_credentials(text: str) -> str:
    """Remove user and password from every URL in a text.

    :param text: any text.
    """
    return _CREDENTIALS.sub(r"\1", text)


def add_credentials(url: str, user: str, password: str) -> str:
    """Add credentials to a URL, if there are any.

    :param url: the URL.
    :param user: the user's name, or a token.
    :param password: the password.
    """
    from urllib.parse import quote

    scheme, _, rest = url.partition("://")
    if not user and not password:
        return url
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def expand_variables(text: str, where: str) -> str:
    """Replace each ``${NAME}`` with an environment variable, as pip, pdm and pipenv do.

    :param text: any text.
    :param where: the file that contains the text; errors name this file.
    :raises ConfigError: for a variable that is not set.
    """

    def replace(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigError(
                f"{where} refers to the environment variable {match[1]!r}, which is not set.",
                f"Set {match[1]} for the build. Its value is not stored in the bundle.",
            )
        return os.environ[match[1]]

    return _VARIABLE.sub(replace, text)


def _join_with_variable(separator: str, values: Iterable[str], name: str) -> str:
    return (
        separator.join([*values, os.environ.get(name, "")]).strip(separator)
        if tuple(values)
        else ""
    )
