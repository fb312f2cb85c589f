"""Render projects as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.vercel.fake.routes.accounts import get_plan
from tests.vercel.fake.transport.request import Request

if TYPE_CHECKING:
    from tests.vercel.fake.routes.projects import Project
    from tests.vercel.fake.state.deployment import Deployment

REGIONS = {"functionDefaultRegions": ["iad1"]}


def render_project(
    request: Request, project: Project, *, with_alias_request: bool = False
) -> dict[str, Any]:
    """:param with_alias_request: include the last promotion or rollback."""
    from tests.vercel.fake.routes.rolling_releases import render_config

    settings = dict(project.settings)
    resources = {**REGIONS, **(settings.pop("resourceConfig", None) or {})}
    return {
        "id": project.id,
        "accountId": project.owner,
        "name": project.name,
        "createdAt": project.created,
        "updatedAt": project.created,
        "directoryListing": False,
        "nodeVersion": "24.x",
        "resourceConfig": resources,
        "defaultResourceConfig": REGIONS,
        "deploymentExpiration": {},
        "autoAssignCustomDomains": True,
        "autoExposeSystemEnvs": True,
        **settings,
        "alias": _render_aliases(request, project),
        "targets": _render_targets(request, project),
        "latestDeployments": _render_latest(request, project),
        "protectionBypass": project.bypass,
        "rollingRelease": render_config(project),
        **({"lastAliasRequest": project.alias_request} if with_alias_request else {}),
    }


def _render_aliases(request: Request, project: Project) -> list[dict[str, Any]]:
    live = request.platform.deployments.get(project.production)
    domain = {"domain": project.host, "environment": "production", "target": "PRODUCTION"}
    return [{**domain, "deployment": live and _render_deployment(request, live)}] if live else []


def _render_targets(request: Request, project: Project) -> dict[str, Any]:
    live = request.platform.deployments.get(project.production)
    return {"production": _render_deployment(request, live)} if live else {}


def _render_latest(request: Request, project: Project) -> list[dict[str, Any]]:
    deployments = [d for d in request.platform.deployments.values() if d.project == project.id]
    return [_render_deployment(request, d) for d in deployments[::-1] if not d.is_deleted][:1]


def _render_deployment(request: Request, deployment: Deployment) -> dict[str, Any]:
    user = request.platform.users[deployment.creator]
    return {
        "id": deployment.id,
        "name": deployment.name,
        "url": deployment.url,
        "deploymentHostname": deployment.url,
        "alias": deployment.alias,
        "aliasAssigned": deployment.has_aliases,
        "createdAt": deployment.created,
        "createdIn": "iad1",
        "creator": {"uid": user.id, "username": user.username, "email": user.email},
        "meta": deployment.meta,
        "plan": get_plan(request, deployment.owner),
        "private": False,
        "readyState": deployment.state,
        "target": deployment.target or None,
        "type": "LAMBDAS",
        "userId": user.id,
    }
