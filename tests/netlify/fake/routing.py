"""Requests, responses, errors, and the table of endpoints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tests.netlify.fake.state import Deploy, Platform, Site, Team
from tests.platform_fakes.route_table import Handler, RouteTable


class ApiError(Exception):
    """An error response, in Netlify's form."""

    def __init__(
        self,
        status: int,
        message: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        self.body = body or {"code": status, "message": message}


@dataclasses.dataclass(kw_only=True)
class Response:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class Request:
    platform: Platform
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    content: bytes
    token: str = ""
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.arguments[name]

    def get_query(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[-1]

    def parse_json(self) -> Any:
        try:
            return json.loads(self.content or b"{}")
        except ValueError:
            raise ApiError(400, "Invalid JSON") from None

    def page(self, items: list[Any]) -> list[Any]:
        """Return the requested page of a list."""
        size = min(int(self.get_query("per_page", "100")), self.platform.page_size_cap)
        number = int(self.get_query("page", "1"))
        return items[(number - 1) * size : number * size]

    def list_teams(self) -> list[Team]:
        return [team for team in self.platform.teams if self.token in team.members]

    def find_team(self, reference: str) -> Team:
        for team in self.list_teams():
            if reference in (team.slug, team.id):
                return team
        raise ApiError(404, "Not Found")

    def find_site(self, reference: str) -> Site:
        for site in self.platform.sites.values():
            names = (site.id, f"{site.name}.netlify.app")
            if reference in names and self.token in site.team.members:
                return site
        raise ApiError(404, "Not Found")

    def find_deploy(self) -> tuple[Site, Deploy]:
        deploy = self.platform.deploys.get(self["deploy"])
        if deploy is None or deploy.state == "deleted":
            raise ApiError(404, "Not Found")
        site = self.find_site(deploy.site)
        names = (site.id, f"{site.name}.netlify.app")
        is_own = self.arguments.get("site", site.id) in names
        if not is_own and not self.platform.ignores_site_of_path:
            raise ApiError(404, "Not Found")
        return site, deploy


_TABLE = RouteTable()
route = _TABLE.route


def find_route(method: str, path: str) -> tuple[Handler, Mapping[str, str]]:
    found = _TABLE.find(method, path)
    if found is None:
        raise ApiError(404, "Not Found")
    return found
