"""A project, as the API shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.vercel.fake.accounts import plan_of
from tests.vercel.fake.call import Call

if TYPE_CHECKING:
    from tests.vercel.fake.lifecycle import Deployment
    from tests.vercel.fake.projects import Project

REGIONS = {"functionDefaultRegions": ["iad1"]}


def project_answer(call: Call, project: Project, *, request: bool = False) -> dict[str, Any]:
    """:param request: with the last request to promote or go back."""
    from tests.vercel.fake.rolling import shown_config

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
        "alias": _aliases(call, project),
        "targets": _targets(call, project),
        "latestDeployments": _latest(call, project),
        "protectionBypass": project.bypass,
        "rollingRelease": shown_config(project),
        **({"lastAliasRequest": project.request} if request else {}),
    }


def _aliases(call: Call, project: Project) -> list[dict[str, Any]]:
    live = call.world.deployments.get(project.production)
    place = {"domain": project.host, "environment": "production", "target": "PRODUCTION"}
    return [{**place, "deployment": live and _deployment(call, live)}] if live else []


def _targets(call: Call, project: Project) -> dict[str, Any]:
    live = call.world.deployments.get(project.production)
    return {"production": _deployment(call, live)} if live else {}


def _latest(call: Call, project: Project) -> list[dict[str, Any]]:
    all_of_it = [d for d in call.world.deployments.values() if d.project == project.id]
    return [_deployment(call, d) for d in all_of_it[::-1] if not d.deleted][:1]


def _deployment(call: Call, deployment: Deployment) -> dict[str, Any]:
    user = call.world.users[deployment.creator]
    return {
        "id": deployment.id,
        "name": deployment.name,
        "url": deployment.url,
        "deploymentHostname": deployment.url,
        "alias": deployment.alias,
        "aliasAssigned": deployment.assigned,
        "createdAt": deployment.created,
        "createdIn": "iad1",
        "creator": {"uid": user.id, "username": user.username, "email": user.email},
        "meta": deployment.meta,
        "plan": plan_of(call, deployment.owner),
        "private": False,
        "readyState": deployment.state,
        "target": deployment.target or None,
        "type": "LAMBDAS",
        "userId": user.id,
    }
