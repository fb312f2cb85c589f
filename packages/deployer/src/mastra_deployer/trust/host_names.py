"""Format and parse hosts, such as ``registry.example`` or ``registry.example:5000``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError

__all__ = ("find_host", "format_host", "parse_host")

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


def format_host(url: str) -> str:
    """Return the host of an address, with the port unless it is the scheme's default.

    This function parses the address as the HTTP client does. Letters beyond ASCII are encoded
    (``xn--...``), so that no host looks like another host.

    :param url: an absolute address.
    :raises ConfigError: when the address has no host.
    """
    import httpx  # loaded on use: most commands compare no hosts

    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parts = httpx.URL("")
    host = parts.raw_host.decode("ascii").rstrip(".")
    name = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(name.lower()):
        raise ConfigError(f"The address {url!r} contains no host.", "Write https://HOST.")
    is_default = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
    return name.lower() if is_default else f"{name.lower()}:{parts.port}"


def find_host(text: str) -> str:
    """Find the host in the text of a setting, which is an address or an image's name.

    :param text: ``https://registry.example/x`` or ``registry.example/team/app``.
    :returns: the host, or an empty text.
    """
    name, slash, _ = text.strip().partition("/")
    try:
        if re.match(r"https?://", text.strip()):
            return format_host(text.strip())
        return parse_host(name) if slash and ("." in name or ":" in name) else ""
    except ConfigError:
        return ""


def parse_host(text: str) -> str:
    """Return the host in a user's input: a host, a host with a port, or an address.

    :param text: ``registry.example``, ``registry.example:5000`` or ``https://registry.example/x``.
    :raises ConfigError: when the text is neither a host, with or without a port, nor an address.
    """
    is_address = "://" in text and urlsplit(text).scheme in _DEFAULT_PORTS
    host = format_host(text if is_address else f"https://{text}")
    if not is_address and "/" in text:
        raise ConfigError(
            f"{text!r} is not a host.", "Write registry.example, or registry.example:5000."
        )
    return host
