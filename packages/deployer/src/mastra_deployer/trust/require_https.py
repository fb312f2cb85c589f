"""Allow credentials over https; allow http only for this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlparse

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError

__all__ = ("is_loopback", "require_https")


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine.

    :param host: a name or an IP address, without port and brackets.
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def require_https(url: str) -> None:
    """Raise an error if a credential must not be sent to an address.

    :param url: an absolute address.
    :raises ConfigError: when ``url`` is not an address, or a credential would be sent unencrypted.
    """
    check_types({"url": url}, {"url": "str"})
    try:
        address = urlparse(url)
        is_address = address.scheme in ("http", "https") and address.hostname and address.port != 0
        (address.hostname or "").encode("idna")
    except ValueError:  # brackets without an IPv6 address, a port above 65535, an empty label
        is_address = False
    if not is_address:
        raise ConfigError(
            f"{url.rpartition('@')[2]!r} is not the address of an API.",
            "Write an absolute address, such as https://api.example.com.",
        )
    if address.scheme == "https" or is_loopback(address.hostname):
        return
    raise ConfigError(
        f"The token would be sent to {f'{address.scheme}://{address.hostname}'!r} without "
        "encryption.",
        "Use https. http is allowed only for this machine.",
    )
