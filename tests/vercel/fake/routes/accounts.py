"""Users, teams and tokens, and their permissions."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any, Literal

from tests.vercel.fake.transport.request import ApiError, Request
from tests.vercel.fake.transport.routing import UNVERSIONED, route

Plan = Literal["hobby", "pro", "enterprise"]
CREATED = 1_700_000_000_000


@dataclasses.dataclass(kw_only=True)
class User:
    id: str
    username: str
    email: str
    team: str = ""  # the default team's id


@dataclasses.dataclass(kw_only=True)
class Team:
    """A team; `saml` requires tokens that were created through the team's SAML login."""

    id: str
    slug: str
    name: str
    plan: Plan
    members: set[str]
    saml: bool = False


@dataclasses.dataclass(kw_only=True)
class Token:
    """A token; `team` is the only team that it may access, if set."""

    value: str
    user: str
    team: str = ""
    saml: bool = False


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def authorize(request: Request) -> None:
    """Resolve the token and the scope of a request.

    :raises ApiError: for a token that is missing, unknown, or may not access the team.
    """
    header = request.headers.get("authorization", "")
    if not header:
        text = "The request is missing an authentication token"
        raise ApiError(403, "forbidden", text, missingToken=True)
    token = request.platform.tokens.get(header.removeprefix("Bearer "))
    if token is None:
        raise ApiError(403, "forbidden", "Not authorized", invalidToken=True)
    request.token = token
    request.scope = _resolve_scope(request, token)


def _resolve_scope(request: Request, token: Token) -> str:
    name = request.get_query("teamId") or request.get_query("slug")
    if not name:
        return token.team or request.platform.users[token.user].team or token.user
    team = find_team(request, name)
    if team is None:
        raise ApiError(403, "forbidden", "Not authorized")
    check_team_access(request, team)
    return team.id


def find_team(request: Request, id_or_slug: str) -> Team | None:
    teams = request.platform.teams.values()
    return next((team for team in teams if id_or_slug in {team.id, team.slug}), None)


def check_team_access(request: Request, team: Team) -> None:
    """:raises Refused: when the token may not touch the team."""
    token = request.token
    assert token is not None
    has_no_access = token.user not in team.members or token.team not in {"", team.id}
    if team.saml and not token.saml:
        raise ApiError(
            403,
            "forbidden",
            f'Not authorized: Trying to access resource under scope "{team.slug}". '
            "You must re-authenticate to this scope or use a token with access to this scope.",
            saml=True,
            teamId=team.id,
            scope=team.slug,
            enforced=True,
        )
    if has_no_access:
        raise ApiError(403, "forbidden", "Not authorized")


def get_plan(request: Request, scope: str = "") -> Plan:
    """Return the plan of a team; a user's own account has the plan hobby."""
    team = request.platform.teams.get(scope or request.scope)
    return team.plan if team else "hobby"


@route("GET", "user", 2, UNVERSIONED)
def get_user(request: Request) -> dict[str, Any]:
    assert request.token is not None
    user = request.platform.users[request.token.user]
    basic: dict[str, Any] = {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.username.title(),
        "avatar": None,
        "defaultTeamId": user.team or None,
    }
    if request.token.team:
        return {"user": {**basic, "limited": True}}
    details = {"billing": None, "resourceConfig": {}, "softBlock": None, "createdAt": CREATED}
    return {
        "user": {**basic, **details, "stagingPrefix": user.username, "hasTrialAvailable": False}
    }


@route("GET", "teams", 1, 2, UNVERSIONED)
def list_teams(request: Request) -> dict[str, Any]:
    assert request.token is not None
    token = request.token
    member_of = [team for team in request.platform.teams.values() if token.user in team.members]
    visible = [team for team in member_of if token.team in {"", team.id}]
    count = {"count": len(visible), "next": None, "prev": None}
    return {"teams": [_render_team(request, team) for team in visible], "pagination": count}


@route("GET", "teams/{team}", 1, 2, UNVERSIONED)
def get_team(request: Request) -> dict[str, Any]:
    team = find_team(request, request["team"])
    if team is None:
        raise ApiError(404, "not_found", "The requested team was not found")
    check_team_access(request, team)
    return _render_team(request, team)


def _render_team(request: Request, team: Team) -> dict[str, Any]:
    assert request.token is not None
    if team.saml and not request.token.saml:
        restricted = {"limited": True, "limitedBy": ["scope"], "saml": {"enforced": True}}
        basic = {"id": team.id, "slug": team.slug, "name": team.name, "avatar": None}
        return {**basic, **restricted, "createdAt": CREATED}
    return {
        "id": team.id,
        "slug": team.slug,
        "name": team.name,
        "avatar": None,
        "description": None,
        "billing": {"plan": team.plan},
        "membership": {
            "role": "OWNER",
            "confirmed": True,
            "uid": request.token.user,
            "created": CREATED,
            "createdAt": CREATED,
        },
        "creatorId": request.token.user,
        "stagingPrefix": team.slug,
        "createdAt": CREATED,
        "updatedAt": CREATED,
    }
