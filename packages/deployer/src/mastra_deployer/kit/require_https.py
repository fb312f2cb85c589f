"""Where credentials may go: over https, or to this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlparse

from mastra_core.errors import ConfigError

__all__ = ("is_loopback", "require_https")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def require_https(url: str) -> None:
    """Nothing for an address that a credential may be sent to.

    :raises ConfigError: for one that would send it in the clear.
    """
    address = urlparse(url)
    if address.scheme == "https" or (address.scheme == "http" and is_loopback(address.hostname)):
        return
    raise ConfigError(
        f"The address {f'{address.scheme}://{address.hostname}'!r} would send the token in the "
        "clear.",
        "Use https; plain http is for this machine only.",
    )
