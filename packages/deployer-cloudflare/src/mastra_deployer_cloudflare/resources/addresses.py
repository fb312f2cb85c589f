"""The addresses of a Worker (workers.dev, routes and custom domains), and its schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_deployer.kit import get_or_create, quote_segment
from mastra_deployer_cloudflare.resources.zones import get_host, require_zone
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = (
    "AddressChange",
    "apply_changes",
    "find_changes",
    "get_preview_url",
    "get_url",
    "read_switches",
    "set_switches",
)

_MAX_LABEL = 63  # characters
_ENVIRONMENT = "production"  # the only environment of a Worker


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddressChange:
    """One request that changes an address or the schedules to match the settings.

    :param text: description of the change, for a plan.
    :param method: ``POST``, ``PUT`` or ``DELETE``.
    :param path: the path of the request that makes the change.
    :param body: the body of the request, before it is encoded as JSON.
    """

    text: str
    method: str
    path: str
    body: Any = None


def find_changes(api: CloudflareApi, settings: CloudflareDeployer) -> list[AddressChange]:
    """Compare routes, custom domains and crons with the settings, without changing anything.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    :raises DeployError: when an address belongs to another Worker or another account.
    """
    return [
        *_compare_routes(api, settings),
        *_compare_domains(api, settings),
        *_compare_crons(api, settings),
    ]


def apply_changes(api: CloudflareApi, changes: list[AddressChange]) -> None:
    """Send the requests that make the changes. A later run of the command can repeat each request.

    :param api: Cloudflare's API.
    :param changes: the changes that ``find_changes`` returned.
    """
    for change in changes:
        if change.method == "DELETE":
            api.delete(change.path)
        elif change.method == "PUT":
            api.put(change.path, change.body)
        else:
            _create_route(api, change)


def read_switches(api: CloudflareApi, name: str) -> dict[str, bool]:
    """Read whether a Worker is on workers.dev, and whether its versions have previews.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    """
    found = api.find(api.build_script_path(name, "/subdomain")) or {}
    return {key: bool(found.get(key)) for key in ("enabled", "previews_enabled")}


def set_switches(api: CloudflareApi, name: str, switches: Mapping[str, bool]) -> None:
    """Turn workers.dev and previews on or off, but send no request if nothing changes.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    :param switches: the new values of ``enabled`` and ``previews_enabled``.
    """
    wanted = {**(current := read_switches(api, name)), **switches}
    if wanted != current:
        api.post(api.build_script_path(name, "/subdomain"), wanted, idempotent=True)


def get_url(settings: CloudflareDeployer, subdomain: str) -> str:
    """Return the address of the live version; the name of the Worker if there is no address.

    :param settings: settings of the deployer.
    :param subdomain: the subdomain of the account; empty while the account has none.
    """
    hosts = [*settings.custom_domains, *map(get_host, settings.routes)]
    if hosts:
        return f"https://{hosts[0]}"
    if settings.workers_dev and subdomain:
        return f"https://{settings.project_name}.{subdomain}.workers.dev"
    return settings.project_name


def get_preview_url(settings: CloudflareDeployer, subdomain: str, prefix: str) -> str:
    """Return the address of one version; empty if there is none.

    The first part of a host name has 63 characters at most, so a long name of the Worker leaves no
    room for the id of a version.

    :param settings: settings of the deployer.
    :param subdomain: the subdomain of the account; empty while the account has none.
    :param prefix: the alias, or the id of the version.
    """
    label = f"{prefix}-{settings.project_name}"
    has_address = subdomain and len(label) <= _MAX_LABEL
    return f"https://{label}.{subdomain}.workers.dev" if has_address else ""


def _compare_routes(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[AddressChange]:
    """Yield the routes to add, and this Worker's other routes in the same zones to remove."""
    zones: dict[str, list[str]] = {}
    for pattern in settings.routes:
        zones.setdefault(require_zone(api, get_host(pattern)), []).append(pattern)
    for zone, patterns in zones.items():
        path = f"/zones/{quote_segment(zone)}/workers/routes"
        existing = {str(item["pattern"]): item for item in api.get(path) or ()}
        for pattern in patterns:
            owner = str((existing.get(pattern) or {}).get("script") or "")
            if owner and owner != settings.project_name:
                raise _build_owner_error(f"route {pattern!r}", owner, "routes")
            if owner:
                continue
            body = {"pattern": pattern, "script": settings.project_name}
            if pattern in existing:
                raise DeployError(
                    f"The existing route {pattern!r} excludes its addresses from all Workers.",
                    "Delete the route on dash.cloudflare.com, or correct the routes setting.",
                )
            yield AddressChange(text=f"route {pattern}", method="POST", path=path, body=body)
        for pattern, item in existing.items():
            if item.get("script") == settings.project_name and pattern not in patterns:
                target = f"{path}/{quote_segment(item['id'])}"
                yield AddressChange(text=f"no route {pattern}", method="DELETE", path=target)


def _compare_domains(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[AddressChange]:
    path, name = api.build_path("/workers/domains"), settings.project_name
    for host in settings.custom_domains:
        found = next(iter(api.get(path, hostname=host) or ()), None)
        if found and found.get("service") != name:
            raise _build_owner_error(
                f"custom domain {host!r}", str(found.get("service")), "custom_domains"
            )
        if not found:
            body = {
                "hostname": host,
                "service": name,
                "environment": _ENVIRONMENT,
                "zone_id": require_zone(api, host),
            }
            yield AddressChange(text=f"custom domain {host}", method="PUT", path=path, body=body)
    for item in api.get(path, service=name) or ():
        if item.get("service") == name and item.get("hostname") not in settings.custom_domains:
            text = f"no custom domain {item.get('hostname')}"
            yield AddressChange(
                text=text, method="DELETE", path=f"{path}/{quote_segment(item['id'])}"
            )


def _compare_crons(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[AddressChange]:
    path = api.build_script_path(settings.project_name, "/schedules")
    found = (api.find(path) or {}).get("schedules") or ()
    current = {str(item["cron"]) for item in found}
    if current != set(settings.crons):
        text = f"crons: {', '.join(settings.crons) or 'none'}"
        body = [{"cron": cron} for cron in settings.crons]
        yield AddressChange(text=text, method="PUT", path=path, body=body)


def _create_route(api: CloudflareApi, change: AddressChange) -> None:
    """Create a route only once, even after a lost response."""

    def find() -> dict[str, Any] | None:
        routes = api.get(change.path) or ()
        return next((item for item in routes if item["pattern"] == change.body["pattern"]), None)

    get_or_create(find, lambda: api.post(change.path, change.body) or {"id": ""})


def _build_owner_error(what: str, owner: str, setting: str) -> DeployError:
    return DeployError(
        f"The {what} belongs to the Worker {owner!r}.",
        f"Remove the address from that Worker first, or correct {setting}.",
    )
