"""Refuse a deploy of a Worker that would have no address, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import DeployError
from mastra_deployer_cloudflare.resources.addresses import get_preview_url, read_switches
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("require_address", "require_preview_address")

_ANY_ID = "0" * 8  # the part of a version's id in its preview address


def require_address(settings: CloudflareDeployer, subdomain: str) -> None:
    """Raise an error if the Worker would have no address.

    :param settings: settings of the deployer.
    :param subdomain: the subdomain of the account; empty while the account has none.
    :raises DeployError: when the settings enable workers.dev, but the account has no subdomain.
    """
    if settings.workers_dev and not subdomain:
        raise DeployError(
            "The account has no workers.dev subdomain.",
            "Choose a subdomain on dash.cloudflare.com, under Workers & Pages. Or set "
            "workers_dev=false, and routes or custom_domains.",
        )


def require_preview_address(
    api: CloudflareApi, settings: CloudflareDeployer, subdomain: str, *, is_new: bool
) -> None:
    """Raise an error if a preview would have no address.

    If the settings enable workers.dev, the deploy turns on the previews of a new Worker, and of a
    Worker that is not on workers.dev.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    :param subdomain: the subdomain of the account; empty while the account has none.
    :param is_new: whether the Worker does not exist yet.
    :raises DeployError: when the name is too long, or the previews are off.
    """
    name = settings.project_name
    if subdomain and not get_preview_url(settings, subdomain, _ANY_ID):
        raise DeployError(
            f"The name {name!r} is too long for preview URLs.",
            "Use at most 54 characters for project_name. Or deploy with --prod.",
        )
    switches = read_switches(api, name)
    is_off = not settings.workers_dev or (not is_new and switches["enabled"])
    if not subdomain or (is_off and not switches["previews_enabled"]):
        raise DeployError(
            f"The Worker {name!r} has no preview URLs.",
            "Switch on the Worker's preview URLs on dash.cloudflare.com, or set workers_dev=true. "
            "Or deploy with --prod.",
        )
