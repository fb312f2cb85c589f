"""Find the team that owns the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.errors import AuthError, ConfigError
from mastra_deployer_netlify.resources.lists import read_objects
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("get_team",)


def get_team(client: httpx.Client, settings: NetlifyDeployer) -> dict[str, Any]:
    """Return the team in the settings, or the token's only team: ``GET /accounts``.

    :param client: client of Netlify's API.
    :param settings: settings of the deployer.
    :returns: the team, as Netlify describes it.
    :raises AuthError: when the token has no access to the team.
    :raises ConfigError: when no team is set and the token has several.
    """
    teams = read_objects(client.get("/accounts"))
    slugs = ", ".join(sorted(str(team.get("slug")) for team in teams)) or "none"
    if settings.scope:
        for team in teams:
            if settings.scope == team.get("slug"):
                return team
        raise AuthError(
            f"The token has no access to the team {settings.scope!r}.",
            "Correct the setting scope, or create a token as a member of that team. The token's "
            f"teams are: {slugs}.",
        )
    if len(teams) != 1:
        raise ConfigError(
            f"The token has access to {len(teams)} teams, but the scope setting does not select "
            "one of them.",
            f"Set scope to the slug of a team: {slugs}.",
        )
    return teams[0]
