"""Where credentials may go: over https, or to this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError

__all__ = ("is_loopback", "refuse_clear_text")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_clear_text(url: str) -> None:
    """Nothing for a safe address.

    :raises ConfigError: for one that would send a password in the clear.
    """
    address = urlsplit(url)
    if address.scheme == "https" or (
        address.scheme == "http" and is_loopback(address.hostname or "")
    ):
        return
    raise ConfigError(
        f"The address {url!r} would send the password in the clear.",
        "Use https; plain http is for this machine only.",
    )
