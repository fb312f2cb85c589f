"""Versions and deployments of a Worker."""

from __future__ import annotations

from typing import Any

from tests.cloudflare.fake.routing import ApiError, Request, route
from tests.cloudflare.fake.state import Deployment, Version, Worker

_PREFIX = "/accounts/{account}/workers/scripts/{name}"


def describe_version(version: Version, *, is_full: bool = False) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": version.id,
        "number": version.number,
        "metadata": {
            "author_id": "e" * 32,
            "author_email": "dev@example.com",
            "created_on": version.created_on,
            "modified_on": version.created_on,
            "has_preview": True,
            "source": "api",
        },
        "annotations": {"workers/triggered_by": "upload", **version.annotations},
    }
    if is_full:
        item["resources"] = {
            "bindings": [_hide_secret(each) for each in version.bindings],
            "script": {"etag": "0", "handlers": ["fetch"], "last_deployed_from": "api"},
            "script_runtime": {
                "compatibility_date": version.metadata.get("compatibility_date"),
                "compatibility_flags": version.metadata.get("compatibility_flags"),
                "usage_model": "standard",
            },
        }
    return item


@route("GET", f"{_PREFIX}/versions")
def list_versions(request: Request) -> Any:
    items = [describe_version(item) for item in reversed(request.worker.versions)]
    if request.get_query("deployable") != "true":
        items = request.select_page(items).items
    return {"items": items[:100]}


@route("GET", f"{_PREFIX}/versions/{{version}}")
def read_version(request: Request) -> Any:
    return describe_version(
        _find_version(request, request.worker, request["version"]), is_full=True
    )


@route("GET", f"{_PREFIX}/deployments")
def list_deployments(request: Request) -> Any:
    return {"deployments": [_describe(item) for item in reversed(request.worker.deployments)]}


@route("POST", f"{_PREFIX}/deployments")
def create_deployment(request: Request) -> Any:
    worker, body = request.worker, request.json
    shares = {item["version_id"]: item["percentage"] for item in body["versions"]}
    if body["strategy"] != "percentage" or sum(shares.values()) != 100 or len(shares) > 2:
        raise ApiError(400, 10001, "The percentages must total 100.")
    versions = [_find_version(request, worker, key) for key in shares]
    main = worker.get_main()
    is_forced = request.get_query("force") == "true"
    if main is not None and not is_forced and any(_lost_secrets(main, each) for each in versions):
        raise ApiError(400, 10220, "Secrets have changed since this version was deployed.")
    return _describe(request.platform.deploy(worker, shares, body.get("annotations")))


def _lost_secrets(main: Version, version: Version) -> bool:
    """Return whether a version is older than the live one, and has other secrets."""
    return version.number < main.number and version.secrets != main.secrets


def _find_version(request: Request, worker: Worker, key: str) -> Version:
    version = worker.find(key)
    if version is None:
        raise ApiError(404, 10009, f"The version {key!r} does not exist.")
    if version.unreadable_reads:
        version.unreadable_reads -= 1
        raise ApiError(404, 100146, "The version could not be read yet.")
    return version


def _hide_secret(binding: dict[str, Any]) -> dict[str, Any]:
    return {"name": binding["name"], "type": binding["type"]} | {
        key: value
        for key, value in binding.items()
        if binding["type"] != "secret_text" or key != "text"
    }


def _describe(item: Deployment) -> dict[str, Any]:
    shares = item.shares.items()
    return {
        "id": item.id,
        "source": "api",
        "strategy": "percentage",
        "author_email": "dev@example.com",
        "created_on": item.created_on,
        "annotations": {"workers/triggered_by": "deployment", **item.annotations},
        "versions": [{"version_id": key, "percentage": share} for key, share in shares],
    }
