"""Identify the caller of a request, for the limits per caller."""

from __future__ import annotations

from mastra_server.http.asgi import Scope
from mastra_server.http.request_context import CONTEXT_KEY, RESOURCE_KEY

__all__ = ("identify_caller", "read_client_address")


def identify_caller(scope: Scope) -> str:
    """Return the caller of a request: the resource that ``auth`` set, or the client's address.

    :param scope: the ASGI scope.
    """
    resource = scope.get(CONTEXT_KEY, {}).get(RESOURCE_KEY)
    return read_client_address(scope) if resource in (None, "") else f"resource:{resource}"


def read_client_address(scope: Scope) -> str:
    """Return the client's IPv4 address or IPv6 network; one client may have a whole IPv6 network.

    A proxy may report ``unknown`` or another text in place of an IP address. Such a text is
    returned unchanged.

    :param scope: the ASGI scope.
    """
    client = scope.get("client")
    host: str = client[0] if client else ""
    return f"address:{_find_network(host) if ':' in host else host}"


def _find_network(host: str) -> str:
    """Return the /64 network of an IPv6 address; for a mapped address, return its IPv4 address."""
    import ipaddress

    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
