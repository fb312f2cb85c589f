"""Workers, and the settings that no version has: subdomain, log, crons, secrets, addresses."""

from __future__ import annotations

import uuid
from typing import Any

from tests.cloudflare.fake.routing import ApiError, Request, route
from tests.cloudflare.fake.state import SECRETS

_PREFIX = "/accounts/{account}/workers/scripts/{name}"
_DOMAINS = "/accounts/{account}/workers/domains"
_ROUTES = "/zones/{zone}/workers/routes"


@route("GET", "/accounts/{account}/workers/scripts")
def list_workers(request: Request) -> Any:
    return [{"id": name} for name in request.platform.workers]


@route("DELETE", _PREFIX)
def delete_worker(request: Request) -> Any:
    del request.platform.workers[request.worker.name]
    return None


@route("GET", f"{_PREFIX}/subdomain")
def read_subdomain(request: Request) -> Any:
    worker = request.worker
    return {"enabled": worker.enabled, "previews_enabled": worker.previews_enabled}


@route("POST", f"{_PREFIX}/subdomain")
def write_subdomain(request: Request) -> Any:
    worker, body = request.worker, request.json
    if not request.platform.subdomain:
        raise ApiError(400, 10063, "You need a workers.dev subdomain.")
    worker.enabled = body["enabled"]
    worker.previews_enabled = body.get("previews_enabled", worker.enabled)
    return read_subdomain(request)


@route("GET", f"{_PREFIX}/script-settings")
def read_settings(request: Request) -> Any:
    return {"logpush": False, "tail_consumers": [], **request.worker.settings}


@route("PATCH", f"{_PREFIX}/script-settings")
def write_settings(request: Request) -> Any:
    request.worker.settings |= request.json
    return read_settings(request)


@route("GET", f"{_PREFIX}/schedules")
def read_crons(request: Request) -> Any:
    return {"schedules": [{"cron": cron} for cron in request.worker.crons]}


@route("PUT", f"{_PREFIX}/schedules")
def write_crons(request: Request) -> Any:
    request.worker.crons = [item["cron"] for item in request.json]
    return read_crons(request)


@route("GET", f"{_PREFIX}/secrets")
def list_secrets(request: Request) -> Any:
    bindings = request.worker.versions[-1].bindings
    found = (item for item in bindings if item["type"] in SECRETS)
    return [{"name": item["name"], "type": item["type"]} for item in found]


@route("PATCH", f"{_PREFIX}/secrets-bulk")
def change_secrets(request: Request) -> Any:
    worker, platform = request.worker, request.platform
    if request.headers["content-type"] != "application/merge-patch+json":
        raise ApiError(415, 10002, "the content type is not a merge patch")
    latest = worker.versions[-1]
    if worker.get_main() is not latest:
        raise ApiError(400, 10215, "The latest version of your Worker isn't currently deployed.")
    secrets = request.json["secrets"]
    bindings = [item for item in latest.bindings if item["name"] not in secrets]
    bindings += [item for item in secrets.values() if item]
    version = platform.add_version(worker, latest.metadata, latest.modules, bindings)
    version.annotations = {"workers/triggered_by": "secret"}
    platform.deploy(worker, {version.id: 100}, {"workers/triggered_by": "secret"})
    return list_secrets(request)


@route("GET", _DOMAINS)
def list_domains(request: Request) -> Any:
    host, service = request.get_query("hostname"), request.get_query("service")
    service = "" if request.platform.lists_all_domains else service
    return [
        {"id": key, **item}
        for key, item in request.platform.domains.items()
        if host in ("", item["hostname"]) and service in ("", item["service"])
    ]


@route("PUT", _DOMAINS)
def write_domain(request: Request) -> Any:
    body, domains = request.json, request.platform.domains
    found = (key for key, item in domains.items() if item["hostname"] == body["hostname"])
    key = next(found, uuid.uuid4().hex)
    domains[key] = body
    return {"id": key, **body}


@route("DELETE", f"{_DOMAINS}/{{domain}}")
def delete_domain(request: Request) -> Any:
    request.platform.domains.pop(request["domain"], None)


@route("GET", _ROUTES, "routes")
def list_routes(request: Request) -> Any:
    return [{"id": key, **item} for key, item in _find_routes(request).items()]


@route("POST", _ROUTES, "routes")
def create_route(request: Request) -> Any:
    routes, body = _find_routes(request), request.json
    if any(item["pattern"] == body["pattern"] for item in routes.values()):
        raise ApiError(409, 10020, "A route with the same pattern already exists.")
    key = uuid.uuid4().hex
    routes[key] = body
    return {"id": key}


@route("DELETE", f"{_ROUTES}/{{route}}", "routes")
def delete_route(request: Request) -> Any:
    _find_routes(request).pop(request["route"], None)


def _find_routes(request: Request) -> dict[str, dict[str, str]]:
    return next(zone.routes for zone in request.platform.zones if zone.id == request["zone"])
