"""Identify the caller of a request, for the limits per caller."""

from __future__ import annotations

from mastra_server.http.asgi import Scope
from mastra_server.http.request_context import CONTEXT_KEY, RESOURCE_KEY

__all__ = ("identify_caller", "read_client_address")


def identify_caller(scope: Scope) -> str:
    """Return the caller of a request: the resource that ``auth`` set, or else the address.

    :param scope: the ASGI scope.
    """
    resource = scope.get(CONTEXT_KEY, {}).get(RESOURCE_KEY)
    return f"resource:{resource}" if resource else read_client_address(scope)


def read_client_address(scope: Scope) -> str:
    """Return the client's address; for IPv6, its network, because one client may use all of it.

    :param scope: the ASGI scope.
    """
    client = scope.get("client")
    host: str = client[0] if client else ""
    if host.count(":") > 1 and "." not in host:
        import ipaddress

        host = str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    return f"address:{host}"
