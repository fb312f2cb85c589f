"""Upload a bundle, and make it live."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Plan, Report, Stage

from mastra_deployer_<<NAME>>.api import Api

__all__ = ("deploy", "plan", "release", "to_deployment")

_TIMEOUT = 600  # seconds until a release must be ready


def plan(api: Api, bundle: Bundle, request: DeployRequest) -> Plan:
    """Return what a deploy would create and upload; <<title>> is only read.

    :param api: the API of the app.
    :param bundle: the bundle to deploy.
    :param request: the variables.
    """
    from mastra_deployer.kit import FileManifest

    id, manifest = bundle.manifest.digest, FileManifest.from_directory(bundle.directory)
    known = {data["id"] for data in api.list_deployments()}
    present = set(manifest.files) & api.list_blobs()
    return Plan(
        creates=(
            *(() if api.get_app() else ("the app",)),
            *(() if id in known else (f"deployment {id}",)),
        ),
        environment=tuple(request.env),
        upload=manifest.get_size(set(manifest.files) - present),
        present=manifest.get_size(present),
    )


def deploy(api: Api, bundle: Bundle, request: DeployRequest, report: Report) -> Deployment:
    """Upload first and release last, so that an aborted deploy has no effect on users.

    :param api: the API of the app.
    :param bundle: the bundle to deploy.
    :param request: the stage, the variables, and whether to wait.
    :param report: receives progress.
    """
    from mastra_deployer.kit import FileManifest, refuse_draft, upload

    refuse_draft(request)  # <<title>> publishes each deploy
    # The id is the content's digest, so a repeated request creates no second deployment.
    id, stage = bundle.manifest.digest, request.environment
    manifest = FileManifest.from_directory(bundle.directory)
    api.create_app()
    report.step("Uploading")
    upload(
        api.create_deployment(id, manifest.paths, {"stage": stage, "message": request.message}),
        lambda digest: api.upload_blob(digest, manifest.read(digest)),
        report=report,
        size=lambda digest: manifest.get_size([digest]),
    )
    # The fingerprint is stored with the release. An aborted deploy therefore leaves no
    # fingerprint, and two deploys at once do not mix code and variables.
    values = {name: value.reveal() for name, value in request.env.items()}
    return release(
        api, stage, id, report, fingerprint=request.fingerprint, env=values, wait=request.wait
    )


def release(
    api: Api,
    stage: Stage,
    id: str,
    report: Report,
    *,
    fingerprint: str = "",
    env: Mapping[str, str] | None = None,
    wait: bool = True,
) -> Deployment:
    """Make a deployment live.

    :param api: the API of the app.
    :param stage: the stage in which the release becomes live.
    :param id: the id of the deployment.
    :param report: receives progress.
    :param fingerprint: stored with the release.
    :param env: variables to set with the release.
    :param wait: whether to wait until it is live.
    :raises DeploymentFailed: when <<title>> cannot run it.
    """
    from mastra_deployer.kit import poll

    report.step("Releasing")
    state = api.create_release(stage, id, fingerprint, env)
    if wait:
        state = poll(
            lambda: api.get_release(stage),
            lambda state: state["state"] != "building",
            timeout=_TIMEOUT,
            report=report,
        )
    if state["state"] == "failed":
        raise DeploymentFailed(
            f"<<title>> cannot run {id!r}: {state['error']}.",
            "Correct the cause and deploy again.",
        )
    return to_deployment(state["deployment"])


def to_deployment(data: Mapping[str, Any]) -> Deployment:
    """Convert a deployment of the API.

    :param data: JSON of the API.
    """
    return Deployment(
        target="<<name>>",
        id=data["id"],
        url=data["url"],
        environment=data["stage"],
        created=dt.datetime.fromisoformat(data["created"]),
        live=data["live"],
        percent=data["percent"],
        state=data["state"],
        message=data["message"],
        fingerprint=data["fingerprint"],
    )
