"""List the deployments of a site, and delete the site."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Deployment
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_netlify.api import open_api
from mastra_deployer_netlify.resources.deployments import iter_deployments, to_deployment
from mastra_deployer_netlify.resources.site import find_site
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("destroy", "list_deployments")


def list_deployments(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the deployments of the site, newest first: ``GET /sites/{id}/deploys``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param limit: how many deployments to return at most.
    :returns: the deployments; empty while there is no site.
    """
    with open_api(settings, credentials) as client:
        site = find_site(client, settings)
        if site is None:
            return []
        items = iter_deployments(client, site, limit)
        return [to_deployment(item, site) for item in items]


def destroy(settings: NetlifyDeployer, credentials: Mapping[str, Secret]) -> bool:
    """Delete the site, its deployments and its variables: ``DELETE /sites/{id}``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: whether there was a site.
    """
    with open_api(settings, credentials) as client:
        site = find_site(client, settings)
        if site is not None:
            client.delete(
                f"/sites/{quote_segment(site['id'])}", extensions={"mastra_accept": (404,)}
            )
        return site is not None
