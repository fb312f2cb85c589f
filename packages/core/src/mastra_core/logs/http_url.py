"""Parse the URLs of HTTP endpoints in settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

from mastra_core.errors import ConfigError
from mastra_core.redaction import redact_text

__all__ = ("parse_http_url",)


def parse_http_url(url: Any, sender: str) -> SplitResult:
    """Return the parts of a URL to which data is sent.

    :param url: the URL; may be any value, because the setting comes from a user.
    :param sender: what sends the data, for the message.
    :raises ConfigError: when ``url`` is not a URL with ``http`` or ``https``, a host and a valid
        port.
    """
    if not isinstance(url, str):
        raise ConfigError(
            f"{sender} got a URL of the type {type(url).__name__!r}, which is not text.",
            "Set the environment variable that the URL comes from.",
        )
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # an invalid port, or half of an IPv6 address
        is_valid = False
    if not is_valid:
        raise ConfigError(
            f"{sender} cannot send to {redact_text(url)!r}.",
            "Write a URL, such as 'https://collector.example.com' or 'http://localhost:4318'.",
        )
    return parts
