"""Parse the URLs of HTTP endpoints in settings."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from mastra_core.errors import ConfigError
from mastra_core.redaction import redact_text

__all__ = ("parse_http_url",)


def parse_http_url(url: str, sender: str) -> SplitResult:
    """Return the parts of a URL to which data is sent.

    :param url: the URL.
    :param sender: what sends the data, for the message.
    :raises ConfigError: when it is no URL with ``http`` or ``https``, a host and a valid port.
    """
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
