"""Teams and sites."""

from __future__ import annotations

import re
from typing import Any

from tests.netlify.fake.routes.deploys import describe_deploy
from tests.netlify.fake.routing import ApiError, Request, Response, route
from tests.netlify.fake.state import Platform, Site, Team

API = "/api/v1"


def describe_site(platform: Platform, site: Site) -> dict[str, Any]:
    published = platform.deploys.get(site.published)
    return {
        "id": site.id,
        "name": site.name,
        "state": "current",
        "url": f"http://{site.name}.netlify.app",
        "ssl_url": f"https://{site.name}.netlify.app",
        "admin_url": f"https://app.netlify.com/projects/{site.name}",
        "account_id": site.team.id,
        "account_slug": site.team.slug,
        "account_name": site.team.slug.title(),
        "prevent_non_git_prod_deploys": site.prevent_non_git_prod_deploys,
        "functions_region": "us-east-2",
        "build_settings": {},
        **({"published_deploy": describe_deploy(platform, published)} if published else {}),
    }


def describe_team(platform: Platform, team: Team) -> dict[str, Any]:
    count = sum(site.team is team for site in platform.sites.values())
    capabilities = {"sites": {"included": team.included_sites, "used": count}}
    return {
        "id": team.id,
        "name": team.slug.title(),
        "slug": team.slug,
        "type": "team",
        "type_name": "Pro",
        "capabilities": capabilities,
    }


@route("GET", f"{API}/user")
def get_user(request: Request) -> Any:
    return {"id": "user-1", "full_name": "Ada", "email": "ada@example.com"}


@route("GET", f"{API}/accounts")
def list_accounts(request: Request) -> Any:
    return [describe_team(request.platform, team) for team in request.list_teams()]


@route("GET", f"{API}/sites")
def list_sites(request: Request) -> Any:
    return _filter_sites(request, {team.id for team in request.list_teams()})


@route("POST", f"{API}/sites")
def create_in_default_team(request: Request) -> Any:
    return _create(request, request.list_teams()[0])


@route("GET", f"{API}/sites/{{site}}")
def get_site(request: Request) -> Any:
    return describe_site(request.platform, request.find_site(request["site"]))


@route("DELETE", f"{API}/sites/{{site}}")
def delete_site(request: Request) -> Any:
    site = request.find_site(request["site"])
    del request.platform.sites[site.id]
    deploys = request.platform.deploys
    for deploy in [item for item in deploys.values() if item.site == site.id]:
        del deploys[deploy.id]
    return Response(status=204)


@route("GET", f"{API}/sites/{{site}}/functions")
def list_functions(request: Request) -> Any:
    site = request.find_site(request["site"])
    published = request.platform.deploys.get(site.published)
    if published is None:
        return []
    functions = [
        {"n": name, "d": sha, "a": site.team.id, "oid": f"{published.id}-{name}"}
        for name, sha in published.functions.items()
    ]
    group = {"id": published.id, "branch": published.branch, "functions": functions}
    return [{**group, "log_type": "socketeer", "provider": "aws"}]


@route("GET", f"{API}/{{team}}/sites")
def list_team_sites(request: Request) -> Any:
    return _filter_sites(request, {request.find_team(request["team"]).id})


@route("POST", f"{API}/{{team}}/sites")
def create_site(request: Request) -> Any:
    return _create(request, request.find_team(request["team"]))


def _filter_sites(request: Request, teams: set[str]) -> Any:
    text = request.get_query("name")
    sites = [site for site in request.platform.sites.values() if site.team.id in teams]
    matches = [site for site in sites if text in site.name]
    return [describe_site(request.platform, site) for site in request.page(matches)]


def _create(request: Request, team: Team) -> Any:
    platform, name = request.platform, request.parse_json().get("name", "")
    names = {site.name for site in platform.sites.values()} | platform.taken_names
    if name in names:
        raise ApiError(422, "taken", {"errors": {"subdomain": ["must be unique"]}})
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise ApiError(422, "invalid", {"errors": {"subdomain": ["is not a valid subdomain"]}})
    return Response(status=201, body=describe_site(platform, platform.create_site(name, team)))
