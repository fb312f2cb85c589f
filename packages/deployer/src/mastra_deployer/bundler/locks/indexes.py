"""Package indexes that a project's files name, and the credentials in their addresses.

uv hears of them by its environment: an argument list can be read by everyone on a machine, and a
file may be left behind.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable

from mastra_core.errors import ConfigError

__all__ = ("Indexes", "expand", "public", "with_credentials")

_CREDENTIALS = re.compile(r"(https?://)[^/\s@\"'`]*@")
_PYPI = "https://pypi.org/simple"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indexes:
    """Where packages come from, beside what uv's own configuration says.

    :param default: in place of PyPI.
    :param extra: asked before the default, in this order.
    :param links: pages or directories of files.
    :param only_links: whether no index is asked.
    :param prereleases: whether versions that are none yet count.
    """

    default: str = dataclasses.field(default="", repr=False)
    extra: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    links: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    only_links: bool = False
    prereleases: bool = False

    def lines(self) -> tuple[str, ...]:
        """What uv has no variable for, as lines of a requirements file."""
        return ("--no-index",) if self.only_links else ()

    def environment(self) -> dict[str, str]:
        """Variables for uv; what the user's own say applies too, after these."""
        made = {
            # Where PyPI itself is named, the user's own mirror of it may stand in.
            "UV_DEFAULT_INDEX": "" if self.default.rstrip("/") == _PYPI else self.default,
            "UV_EXTRA_INDEX_URL": _joined(" ", self.extra, "UV_EXTRA_INDEX_URL"),
            "UV_FIND_LINKS": _joined(",", self.links, "UV_FIND_LINKS"),
            "UV_PRERELEASE": "allow" if self.prereleases else "",
        }
        return {name: value for name, value in made.items() if value}


def public(text: str) -> str:
    """``text`` without the user and password of any address in it."""
    return _CREDENTIALS.sub(r"\1", text)


def with_credentials(url: str, user: str, password: str) -> str:
    """An address that carries credentials; as it was without any."""
    from urllib.parse import quote

    scheme, _, rest = url.partition("://")
    if not user and not password:
        return url
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def expand(text: str, where: str) -> str:
    """``text`` with each ``${NAME}`` from the environment, as pip, pdm and pipenv have it.

    :raises ConfigError: for a variable that is not set.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ConfigError(
                f"{where} names the variable {found[1]!r}, which is not set.",
                f"Set {found[1]}; it stays out of the bundle.",
            )
        return os.environ[found[1]]

    return _VARIABLE.sub(value, text)


def _joined(mark: str, ours: Iterable[str], name: str) -> str:
    return mark.join([*ours, os.environ.get(name, "")]).strip(mark) if tuple(ours) else ""
