"""Find zones: the account's domains, to which routes and custom domains belong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("find_zone", "get_host", "require_zone")

_MIN_LABELS = 2  # of the name of a zone


def get_host(pattern: str) -> str:
    """Return the host name in the pattern of a route.

    :param pattern: the pattern of a route, such as ``*.example.com/api/*``.
    """
    host = pattern.rpartition("://")[2].partition("/")[0].partition(":")[0]
    return host.lstrip("*").lstrip(".").lower()


def find_zone(api: CloudflareApi, host: str) -> str | None:
    """Return the id of the account's zone that contains a host name, or ``None``.

    :param api: Cloudflare's API.
    :param host: such as ``shop.example.com``.
    """
    own = (zone for zone in _iter_zones(api, host) if _get_owner(api, zone) == api.account)
    return next((str(zone["id"]) for zone in own), None)


def require_zone(api: CloudflareApi, host: str) -> str:
    """Return the id of the zone that contains a host name.

    :param api: Cloudflare's API.
    :param host: the host name, such as ``shop.example.com``.
    :raises DeployError: when the zone does not exist, or belongs to another account.
    """
    for zone in _iter_zones(api, host):
        owner = _get_owner(api, zone)
        if owner != api.account:
            raise DeployError(
                f"{host!r} is in the zone {zone.get('name')!r}, which belongs to another account.",
                f"Set scope={owner}, or remove {host!r} from routes and custom_domains.",
            )
        return str(zone["id"])
    raise DeployError(
        f"The account has no zone for {host!r}.",
        "Add the domain on dash.cloudflare.com. Or give the token the permission 'Zone: Read' for "
        "the domain. Or remove the domain from routes and custom_domains.",
    )


def _iter_zones(api: CloudflareApi, host: str) -> Iterator[dict[str, Any]]:
    """Yield the zones that contain a host name, the smallest first: ``GET /zones?name=``."""
    labels = host.split(".")
    for start in range(len(labels) - _MIN_LABELS + 1):
        yield from api.get("/zones", name=".".join(labels[start:])) or ()


def _get_owner(api: CloudflareApi, zone: Mapping[str, Any]) -> str:
    return str((zone.get("account") or {}).get("id") or api.account)
