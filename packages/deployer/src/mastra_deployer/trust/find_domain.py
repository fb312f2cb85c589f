"""Find, in the text of a setting, the domain from which a deployer has built a host name.

A deployer may put a setting anywhere into an address. For example, in
``https://api-{region}.platform.example``, the region ``x.evil.example/`` makes the host
``api-x.evil.example``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ("find_domain",)

# All characters that end a host in an address. Letters beyond ASCII may be part of a host.
_DELIMITERS = re.compile(r"[^a-z0-9_.\-\u0080-\U0010ffff]+")
_DOTS = re.compile("[\u3002\uff0e\uff61]")  # these characters mean a dot in an address


def find_domain(text: str, host: str) -> str:
    """Find a host, or else its longest parent domain, in a text.

    :param text: the text of a setting.
    :param host: the host as ``format_host`` writes it.
    :returns: the host or its longest parent domain, without a port, or an empty text.
    """
    bare = re.sub(r":\d+$", "", host).strip("[]")
    decoded = _decode_labels(bare)
    matches = [
        name for name, leads in _iter_names(text) if name and _names_host(name, decoded, leads)
    ]
    if not matches:
        return ""
    count = 1 + max(name.count(".") for name in matches)
    return ".".join(bare.split(".")[-count:])


def _iter_names(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each part of a text that may be a host, and whether an address may begin with it."""
    for piece in _DOTS.sub(".", text.lower()).split():
        yield piece.strip("[]"), False  # an IPv6 address
        for address in re.findall(r"\[([^\]]+)\]", piece):
            yield address, False
        parts = _DELIMITERS.split(re.sub(r"^(\w+:)?//", "", piece))
        for number, part in enumerate(parts):
            yield _decode_labels(part.strip(".")), number == 0


def _names_host(name: str, host: str, leads: bool) -> bool:
    """Return whether a host is equal to a name, or is a subdomain of the name."""
    if name == host or "." in name:
        return host.endswith(name)
    return leads and host.endswith((f".{name}", f"-{name}"))


def _decode_labels(name: str) -> str:
    """Return a name with decoded ``xn--`` labels."""
    return ".".join(map(_decode_label, name.split(".")))


def _decode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode").lower()
    except UnicodeError:
        return label
