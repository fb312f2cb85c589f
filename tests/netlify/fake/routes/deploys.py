"""Deployments: create, list, poll, cancel, publish, lock."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from tests.netlify.fake.routing import ApiError, Request, Response, route
from tests.netlify.fake.state import Deploy, Platform, Site

API = "/api/v1"
MAIN_BRANCH = "main"


def describe_deploy(platform: Platform, deploy: Deploy) -> dict[str, Any]:
    site = platform.sites[deploy.site]
    files, functions = platform.list_required(deploy)
    required = {"required": files, "required_functions": functions} if deploy.is_prepared else {}
    optional = {"published_at": deploy.published_at, "error_message": deploy.error_message}
    return {
        "id": deploy.id,
        "site_id": site.id,
        "state": deploy.state,
        "name": site.name,
        "url": f"http://{site.name}.netlify.app",
        "ssl_url": f"https://{site.name}.netlify.app",
        "admin_url": f"https://app.netlify.com/projects/{site.name}",
        "deploy_url": f"http://{deploy.id}--{site.name}.netlify.app",
        "deploy_ssl_url": f"https://{deploy.id}--{site.name}.netlify.app",
        "draft": deploy.draft,
        "branch": deploy.branch,
        "context": deploy.context,
        "title": deploy.title,
        "locked": deploy.locked,
        "created_at": deploy.created_at,
        **required,
        **{name: value for name, value in optional.items() if value},
    }


@route("POST", f"{API}/sites/{{site}}/deploys")
def create_deploy(request: Request) -> Any:
    site = request.find_site(request["site"])
    _count_deploy(request.platform)
    body = request.parse_json()
    draft, branch = bool(body.get("draft")), body.get("branch") or MAIN_BRANCH
    is_production = branch == MAIN_BRANCH and not draft
    if is_production and site.prevent_non_git_prod_deploys:
        raise ApiError(422, "Non-git production deploys are prevented for this site")
    context = "production"
    if not is_production:
        context = request.platform.draft_context if draft else "branch-deploy"
    deploy = Deploy(
        id=request.platform.create_id(),
        site=site.id,
        title=request.get_query("title"),
        draft=draft,
        branch=branch,
        context=context,
        files={},
        functions={},
        config={},
        env=_collect_env(site, context),
        is_prepared=not body.get("async"),
    )
    request.platform.deploys[deploy.id] = deploy
    return _fill(request, deploy, body)


@route("PUT", f"{API}/sites/{{site}}/deploys/{{deploy}}")
def update_deploy(request: Request) -> Any:
    """Set the files of a deployment; Netlify's command line creates it without them."""
    return _fill(request, request.find_deploy()[1], request.parse_json())


@route("GET", f"{API}/sites/{{site}}/deploys")
def list_deploys(request: Request) -> Any:
    site = request.find_site(request["site"])
    deploys = [item for item in request.platform.deploys.values() if item.site == site.id]
    if state := request.get_query("state"):
        deploys = [item for item in deploys if item.state == state]
    if branch := request.get_query("branch"):
        deploys = [item for item in deploys if item.branch == branch]
    return [describe_deploy(request.platform, item) for item in request.page(deploys[::-1])]


@route("GET", f"{API}/sites/{{site}}/deploys/{{deploy}}")
@route("GET", f"{API}/deploys/{{deploy}}")
def get_deploy(request: Request) -> Any:
    deploy = request.find_deploy()[1]
    request.platform.advance(deploy)
    return describe_deploy(request.platform, deploy)


@route("POST", f"{API}/deploys/{{deploy}}/cancel")
def cancel_deploy(request: Request) -> Any:
    deploy = request.find_deploy()[1]
    if deploy.state != "ready":
        deploy.state, deploy.error_message = "error", "Canceled"
    return Response(status=201, body=describe_deploy(request.platform, deploy))


@route("POST", f"{API}/sites/{{site}}/deploys/{{deploy}}/restore")
def restore_deploy(request: Request) -> Any:
    site, deploy = request.find_deploy()
    published = request.platform.deploys.get(site.published)
    if deploy.state != "ready":
        raise ApiError(422, "Deploy is not ready")
    if published and published.locked and published is not deploy:
        raise ApiError(422, "The published deploy is locked")
    if published is not deploy:
        request.platform.publish(site, deploy)
    return Response(status=201, body=describe_deploy(request.platform, deploy))


@route("POST", f"{API}/deploys/{{deploy}}/lock")
def lock_deploy(request: Request) -> Any:
    return _set_lock(request, locked=True)


@route("POST", f"{API}/deploys/{{deploy}}/unlock")
def unlock_deploy(request: Request) -> Any:
    return _set_lock(request, locked=False)


def _set_lock(request: Request, *, locked: bool) -> Any:
    deploy = request.find_deploy()[1]
    deploy.locked = locked
    return describe_deploy(request.platform, deploy)


def _fill(request: Request, deploy: Deploy, body: dict[str, Any]) -> Any:
    """Set files, functions and the variables of this deployment only."""
    functions = body.get("functions") or {}
    if len(set(functions.values())) < len(functions):
        raise ApiError(422, "Two functions have the same digest")
    deploy.files |= {path.lstrip("/"): sha for path, sha in (body.get("files") or {}).items()}
    deploy.functions |= functions
    deploy.config |= body.get("functions_config") or {}
    for item in body.get("environment") or []:
        if missing := {"key", "value", "scopes", "is_secret"} - set(item):
            raise ApiError(422, f"environment lacks {sorted(missing)}")
        deploy.env[item["key"]] = item["value"]
    if deploy.is_prepared and not any(request.platform.list_required(deploy)):
        deploy.state = "uploaded"
    if not deploy.is_prepared:
        deploy.state = "preparing"
    return describe_deploy(request.platform, deploy)


def _collect_env(site: Site, context: str) -> dict[str, str]:
    """Return the variables of the store that a function of this context gets."""
    return {
        variable.key: variable.values.get(context, variable.values.get("all", ""))
        for variable in site.variables.values()
        if {context, "all"} & set(variable.values)
    }


def _count_deploy(platform: Platform) -> None:
    platform.posts += 1
    limit = platform.deploys_per_window
    if limit is None or platform.posts <= limit:
        return
    platform.deploys_per_window = None  # the window is over when the client comes again
    end = int(time.time()) + platform.reset_seconds
    date = dt.datetime.fromtimestamp(end, dt.UTC)
    reset = {
        "epoch": str(end),
        "seconds": str(platform.reset_seconds),
        "date": f"{date:%Y-%m-%d %H:%M:%S} UTC",
    }[platform.reset_form]
    headers = {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": "0"}
    raise ApiError(429, "Too many deploys", headers={**headers, "x-ratelimit-reset": reset})
