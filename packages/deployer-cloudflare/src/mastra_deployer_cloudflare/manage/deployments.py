"""List the versions of a Worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.pipeline import Deployment
from mastra_core.secret import Secret
from mastra_deployer_cloudflare.api import open_api
from mastra_deployer_cloudflare.resources.addresses import get_preview_url, get_url
from mastra_deployer_cloudflare.resources.subdomain import find_subdomain
from mastra_deployer_cloudflare.resources.versions import WorkerState, read_state
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("describe_version", "list_deployments")


def list_deployments(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the versions with their shares of the traffic, newest first.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param limit: how many versions to return at most.
    :returns: the versions; empty while there is no Worker.
    """
    with open_api(settings, credentials) as api:
        state = read_state(api, settings.project_name)
        if state is None:
            return []
        subdomain = find_subdomain(api)
        return [
            _describe(settings, state, subdomain, version.id) for version in state.versions[:limit]
        ]


def describe_version(
    api: CloudflareApi, settings: CloudflareDeployer, state: WorkerState, id: str
) -> Deployment:
    """Convert one version to the type of the pipeline.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    :param state: the state of the Worker.
    :param id: the id of the version.
    """
    return _describe(settings, state, find_subdomain(api), id)


def _describe(
    settings: CloudflareDeployer, state: WorkerState, subdomain: str, id: str
) -> Deployment:
    version = state.require(id)
    prefix = version.alias or version.id[:8]
    preview_url = get_preview_url(settings, subdomain, prefix) if version.has_preview else ""
    return state.to_deployment(version, get_url(settings, subdomain), preview_url)
