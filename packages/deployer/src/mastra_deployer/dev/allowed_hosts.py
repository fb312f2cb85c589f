"""Parse the host names of a local server."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mastra_core.errors import ConfigError

__all__ = ("parse_hosts",)

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")


def parse_hosts(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Parse host names from an option or from the configuration.

    :param names: host names or addresses, without scheme and port.
    :param where: the option or the key; errors name it.
    :raises ConfigError: when a given host is not a valid host name.
    """
    return tuple(_parse_host(name, where) for name in names)


def _parse_host(name: str, where: str) -> str:
    host = name.strip().strip("[]").rstrip(".").lower()
    if not _NAME.fullmatch(host):
        raise ConfigError(
            f"{where} contains {name!r}, which is not a host name.",
            "Write it without scheme, port and wildcard, such as app.example.com.",
        )
    return host
