"""Find or create the site of an app."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import DeployRequest
from mastra_deployer.kit import get_or_create, quote_segment, read_object, require_deployed
from mastra_deployer_netlify.resources.lists import iter_objects
from mastra_deployer_netlify.resources.team import get_team
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "fetch_site",
    "find_in_other_team",
    "find_production_block",
    "find_site",
    "get_or_create_site",
    "get_published_id",
    "get_site",
    "require_publishable",
)

_MAX_SITES = 1000  # sites whose names contain project_name
_UNPROCESSABLE = 422
_LOCK_HINT = (
    "Unlock it at Netlify (Deploys, 'Unlock to start auto publishing'). Or create a draft with "
    "--no-promote."
)
_GIT_HINT = (
    "Allow other deploys in the site's settings at Netlify. Or create a draft with --no-promote."
)


def find_site(client: httpx.Client, settings: NetlifyDeployer) -> dict[str, Any] | None:
    """Find the site by its exact name: ``GET /{account_slug}/sites``.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :returns: the site, as Netlify describes it, or ``None``.
    """
    return _find_by_name(
        client, settings, f"/{quote_segment(get_team(client, settings)['slug'])}/sites"
    )


def find_in_other_team(client: httpx.Client, settings: NetlifyDeployer, slug: str) -> str:
    """Look for the site in the token's other teams, and return the team's slug: ``GET /sites``.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :param slug: the slug of the deployer's own team, in which another deploy may have created the
        site meanwhile.
    :returns: the slug; empty if no other team of the token has such a site.
    """
    site = _find_by_name(client, settings, "/sites") or {}
    owner = str(site.get("account_slug") or "")
    return "" if owner == slug else owner


def get_site(client: httpx.Client, settings: NetlifyDeployer) -> dict[str, Any]:
    """Find the site by its exact name.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :returns: the site, as Netlify describes it.
    :raises DeployError: when the site does not exist.
    """
    return require_deployed(
        find_site(client, settings),
        f"Netlify has no site {settings.project_name!r} in this team.",
        "Deploy first, or check project_name and scope.",
    )


def fetch_site(client: httpx.Client, site: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch the current state of a site: ``GET /sites/{id}``.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify described it in an earlier response.
    :returns: the site, as Netlify describes it.
    """
    return read_object(client.get(f"/sites/{quote_segment(site['id'])}"))


def get_or_create_site(client: httpx.Client, settings: NetlifyDeployer) -> dict[str, Any]:
    """Find the site, or create it: ``POST /{account_slug}/sites``.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :returns: the site, as Netlify describes it.
    :raises DeployError: when another team has a site of this name.
    """
    slug = get_team(client, settings)["slug"]
    path = f"/{quote_segment(slug)}/sites"

    def find() -> dict[str, Any] | None:
        return _find_by_name(client, settings, path)

    def create() -> dict[str, Any]:
        try:
            return read_object(client.post(path, json={"name": settings.project_name}))
        except ApiError as error:
            if error.status != _UNPROCESSABLE:
                raise
            existing = find()  # another deploy may have created it meanwhile
            if existing is None:
                raise _build_name_error(client, settings, slug, error) from error
            return existing

    return get_or_create(find, create)


def get_published_id(site: Mapping[str, Any]) -> str:
    """Return the id of the published deployment of a site.

    :param site: the site, as Netlify describes it.
    :returns: the id; empty when no deployment is published.
    """
    return str((site.get("published_deploy") or {}).get("id") or "")


def find_production_block(site: Mapping[str, Any]) -> DeployError | None:
    """Return an error if Netlify would not publish a deployment of the site, or ``None``.

    :param site: the site, as Netlify describes it.
    :returns: the error to raise or to report.
    """
    name = site.get("name")
    if (site.get("published_deploy") or {}).get("locked"):
        return DeployError(
            f"The site {name!r} is locked to the deployment {get_published_id(site)}.", _LOCK_HINT
        )
    if site.get("prevent_non_git_prod_deploys"):
        return DeployError(f"The site {name!r} publishes deployments from git only.", _GIT_HINT)
    return None


def require_publishable(site: Mapping[str, Any], request: DeployRequest) -> None:
    """Refuse a deploy that Netlify would not publish, before anything is sent.

    :param site: the site, as Netlify describes it.
    :param request: options of the deploy.
    :raises DeployError: when the request publishes the deployment, but the site is locked or
        accepts deployments only from git.
    """
    error = find_production_block(site)
    if error is not None and request.environment == "production" and request.promote:
        raise error


def _find_by_name(
    client: httpx.Client, settings: NetlifyDeployer, path: str
) -> dict[str, Any] | None:
    """Find a site by its exact name, because Netlify's filter also finds longer names."""
    query = {"name": settings.project_name}
    sites = iter_objects(client, path, _MAX_SITES, query)
    return next((site for site in sites if site.get("name") == settings.project_name), None)


def _build_name_error(
    client: httpx.Client, settings: NetlifyDeployer, slug: str, error: ApiError
) -> DeployError:
    name = settings.project_name
    if owner := find_in_other_team(client, settings, slug):
        return DeployError(
            f"The site {name!r} belongs to your team {owner!r}.",
            f"Set scope={owner}, or choose another project_name.",
        )
    if "unique" not in error.message and "taken" not in error.message:
        return error
    suffix = hashlib.sha256(f"{settings.scope} {name}".encode()).hexdigest()[:8]
    return DeployError(
        f"The name {name!r} is already used by somebody else's site. Site names are unique on "
        "Netlify.",
        f"Choose another project_name, such as {name}-{suffix}.",
    )
