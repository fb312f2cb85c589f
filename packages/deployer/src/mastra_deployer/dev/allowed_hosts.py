"""Parse the names of hosts that a local server is served under."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mastra_core.errors import ConfigError

__all__ = ("parse_hosts",)

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")


def parse_hosts(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Parse the names of an option or of the configuration.

    :param names: host names or addresses, without scheme and port.
    :param where: the option or the key, for the error.
    :raises ConfigError: when one is not the name of a host.
    """
    return tuple(_parse_host(name, where) for name in names)


def _parse_host(name: str, where: str) -> str:
    host = name.strip().strip("[]").rstrip(".").lower()
    if not _NAME.fullmatch(host):
        raise ConfigError(
            f"{where} has {name!r}, which is not the name of a host.",
            "Write it without scheme, port and wildcard, like app.example.com.",
        )
    return host
