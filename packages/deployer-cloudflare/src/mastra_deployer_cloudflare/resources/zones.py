"""Find zones: the account's domains, to which routes and custom domains belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import DeployError

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("find_zone", "get_host")

_MIN_LABELS = 2  # of the name of a zone


def get_host(pattern: str) -> str:
    """Return the host name in the pattern of a route.

    :param pattern: the pattern of a route, such as ``*.example.com/api/*``.
    """
    host = pattern.rpartition("://")[2].partition("/")[0].partition(":")[0]
    return host.lstrip("*").lstrip(".").lower()


def find_zone(api: CloudflareApi, host: str) -> str:
    """Return the id of the zone that contains a host name: ``GET /zones?name=``.

    :param api: Cloudflare's API.
    :param host: the host name, such as ``shop.example.com``.
    :raises DeployError: when there is no such zone, or it belongs to another account.
    """
    labels = host.split(".")
    for start in range(len(labels) - _MIN_LABELS + 1):
        for zone in api.get("/zones", name=".".join(labels[start:])) or ():
            owner = str((zone.get("account") or {}).get("id") or api.account)
            if owner != api.account:
                raise DeployError(
                    f"{host!r} is in the zone {zone.get('name')!r}, which belongs to another "
                    "account.",
                    f"Set scope={owner}, or remove {host!r} from routes and custom_domains.",
                )
            return str(zone["id"])
    raise DeployError(
        f"The account has no zone for {host!r}.",
        "Add the domain on dash.cloudflare.com. Or give the token the permission 'Zone: Read' for "
        "the domain. Or remove the domain from routes and custom_domains.",
    )
