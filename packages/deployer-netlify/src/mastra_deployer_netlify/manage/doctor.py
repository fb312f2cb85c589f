"""Check whether a deploy would succeed, by only reading from Netlify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Problem
from mastra_core.secret import Secret
from mastra_deployer_netlify.api import open_api
from mastra_deployer_netlify.resources.site import (
    find_in_other_team,
    find_production_block,
    find_site,
)
from mastra_deployer_netlify.resources.team import get_team
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("diagnose",)


def diagnose(settings: NetlifyDeployer, credentials: Mapping[str, Secret]) -> Iterator[Problem]:
    """Check the token and its team, the limits of the plan, and the site's lock and name.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the problems found.
    :raises AuthError: when the token is missing, is rejected, or belongs to another team.
    """
    with open_api(settings, credentials) as client:
        team = get_team(client, settings)
        site = find_site(client, settings)
        if site is None:
            yield from _check_new_site(client, settings, team)
        elif error := find_production_block(site):
            yield Problem(message=error.message, hint=error.hint)


def _check_new_site(
    client: httpx.Client, settings: NetlifyDeployer, team: Mapping[str, Any]
) -> Iterator[Problem]:
    if owner := find_in_other_team(client, settings, str(team["slug"])):
        yield Problem(
            message=f"The site {settings.project_name!r} belongs to your team {owner!r}.",
            hint=f"Set scope={owner}, or choose another project_name.",
        )
    sites = (team.get("capabilities") or {}).get("sites") or {}
    included, count = sites.get("included"), sites.get("used")
    if isinstance(included, int) and isinstance(count, int) and count >= included:
        yield Problem(
            message=f"The team {team.get('slug')!r} has {count} sites, but its plan allows "
            f"only {included}.",
            hint="Delete a site, or use a larger plan.",
        )
