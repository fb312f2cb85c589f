"""Users, teams and tokens, and who may do what where."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any, Literal

from tests.vercel.fake.call import Call, Refused
from tests.vercel.fake.routes import UNVERSIONED, route

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
    """A team; `saml` asks of every token that it came through the team's own login."""

    id: str
    slug: str
    name: str
    plan: Plan
    members: set[str]
    saml: bool = False


@dataclasses.dataclass(kw_only=True)
class Token:
    """A token; `team` is the only one it may touch, where it is limited to one."""

    value: str
    user: str
    team: str = ""
    saml: bool = False


def new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"


def authorise(call: Call) -> None:
    """Find whose token it is, and which team the call is about.

    :raises Refused: for a token that is missing, unknown, or may not touch that team.
    """
    given = call.headers.get("authorization", "")
    if not given:
        text = "The request is missing an authentication token"
        raise Refused(403, "forbidden", text, missingToken=True)
    token = call.world.tokens.get(given.removeprefix("Bearer "))
    if token is None:
        raise Refused(403, "forbidden", "Not authorized", invalidToken=True)
    call.token = token
    call.scope = _scope(call, token)


def _scope(call: Call, token: Token) -> str:
    named = call.asked("teamId") or call.asked("slug")
    if not named:
        return token.team or call.world.users[token.user].team or token.user
    team = find_team(call, named)
    if team is None:
        raise Refused(403, "forbidden", "Not authorized")
    enter(call, team)
    return team.id


def find_team(call: Call, id_or_slug: str) -> Team | None:
    teams = call.world.teams.values()
    return next((team for team in teams if id_or_slug in {team.id, team.slug}), None)


def enter(call: Call, team: Team) -> None:
    """:raises Refused: when the token may not touch the team."""
    token = call.token
    assert token is not None
    outside = token.user not in team.members or token.team not in {"", team.id}
    if team.saml and not token.saml:
        raise Refused(
            403,
            "forbidden",
            f'Not authorized: Trying to access resource under scope "{team.slug}". '
            "You must re-authenticate to this scope or use a token with access to this scope.",
            saml=True,
            teamId=team.id,
            scope=team.slug,
            enforced=True,
        )
    if outside:
        raise Refused(403, "forbidden", "Not authorized")


def plan_of(call: Call, scope: str = "") -> Plan:
    """The plan of a team; a user's own account is hobby."""
    team = call.world.teams.get(scope or call.scope)
    return team.plan if team else "hobby"


@route("GET", "user", 2, UNVERSIONED)
def get_user(call: Call) -> dict[str, Any]:
    assert call.token is not None
    user = call.world.users[call.token.user]
    about: dict[str, Any] = {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.username.title(),
        "avatar": None,
        "defaultTeamId": user.team or None,
    }
    if call.token.team:
        return {"user": {**about, "limited": True}}
    more = {"billing": None, "resourceConfig": {}, "softBlock": None, "createdAt": CREATED}
    return {"user": {**about, **more, "stagingPrefix": user.username, "hasTrialAvailable": False}}


@route("GET", "teams", 1, 2, UNVERSIONED)
def list_teams(call: Call) -> dict[str, Any]:
    assert call.token is not None
    token = call.token
    mine = [team for team in call.world.teams.values() if token.user in team.members]
    seen = [team for team in mine if token.team in {"", team.id}]
    count = {"count": len(seen), "next": None, "prev": None}
    return {"teams": [_answer(call, team) for team in seen], "pagination": count}


@route("GET", "teams/{team}", 1, 2, UNVERSIONED)
def get_team(call: Call) -> dict[str, Any]:
    team = find_team(call, call["team"])
    if team is None:
        raise Refused(404, "not_found", "The requested team was not found")
    enter(call, team)
    return _answer(call, team)


def _answer(call: Call, team: Team) -> dict[str, Any]:
    assert call.token is not None
    if team.saml and not call.token.saml:
        limited = {"limited": True, "limitedBy": ["scope"], "saml": {"enforced": True}}
        about = {"id": team.id, "slug": team.slug, "name": team.name, "avatar": None}
        return {**about, **limited, "createdAt": CREATED}
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
            "uid": call.token.user,
            "created": CREATED,
            "createdAt": CREATED,
        },
        "creatorId": call.token.user,
        "stagingPrefix": team.slug,
        "createdAt": CREATED,
        "updatedAt": CREATED,
    }
