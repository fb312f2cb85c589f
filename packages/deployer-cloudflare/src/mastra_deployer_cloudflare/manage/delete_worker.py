"""Delete a Worker with its addresses, and keep its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.pipeline import Report
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_cloudflare.api import open_api
from mastra_deployer_cloudflare.resources.storage import list_wanted
from mastra_deployer_cloudflare.resources.versions import read_state
from mastra_deployer_cloudflare.resources.zones import find_zone, get_host
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("destroy",)


_ZONE_HINT = (
    "A deleted zone has no routes. If the zone exists, delete its route on dash.cloudflare.com, "
    "because the token lacks the permission 'Zone: Read'."
)


def destroy(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], report: Report
) -> bool:
    """Delete the Worker with its versions, secrets, routes and custom domains.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param report: receives the resources that remain.
    :returns: whether there was a Worker.
    """
    with open_api(settings, credentials) as api:
        name = settings.project_name
        if read_state(api, name) is None:
            return False
        for zone in _find_zones(api, settings, report):
            path = f"/zones/{quote_segment(zone)}/workers/routes"
            for item in api.find(path) or ():
                if item.get("script") == name:
                    api.delete(f"{path}/{quote_segment(item['id'])}")
        path = api.build_path("/workers/domains")
        for item in api.get(path, service=name) or ():
            if item.get("service") == name:
                api.delete(f"{path}/{quote_segment(item['id'])}")
        api.delete(api.build_script_path(name), force="true")
    kept = [str(item) for item in list_wanted(settings)]
    if kept:
        report.note(
            f"These resources remain: {', '.join(kept)}.",
            "Delete them on dash.cloudflare.com if nothing else uses them.",
        )
    return True


def _find_zones(api: CloudflareApi, settings: CloudflareDeployer, report: Report) -> set[str]:
    """Return the zones of the routes, and report each route whose zone is not in the account."""
    hosts = dict.fromkeys(map(get_host, settings.routes))
    zones = {host: find_zone(api, host) for host in hosts}
    missing = ", ".join(repr(host) for host, zone in zones.items() if zone is None)
    if missing:
        report.note(
            f"The account has no zone for {missing}, so no route was deleted there.", _ZONE_HINT
        )
    return {zone for zone in zones.values() if zone is not None}
