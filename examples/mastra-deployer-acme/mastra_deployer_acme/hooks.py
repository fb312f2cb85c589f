"""The hooks of a small but complete deployer, as a third party would publish it."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core import Secret
from mastra_core.errors import DeploymentFailed
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Bundle, Deployment, DeployRequest, Report, Target
from mastra_deployer_acme import AcmeDeployer

Env = Mapping[str, Secret]


@hookimpl
def mastra_target() -> Target:
    return Target(
        name="acme",
        summary="Acme's machines, which run `python index.py`",
        settings=AcmeDeployer,
        credentials=("ACME_TOKEN",),
        requirements=("uvicorn>=0.38", "httptools>=0.6.3"),
        previews=True,
        reserved_variables=("HOST", "PORT"),
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    build.copy_to(directory)
    return Bundle.seal(build, directory, "acme")


@hookimpl
def mastra_deploy(
    bundle: Bundle, settings: AcmeDeployer, credentials: Env, request: DeployRequest, report: Report
) -> Deployment:
    from mastra_deployer.kit import FileManifest, get_or_create, poll, refuse_draft, upload

    refuse_draft(request)
    manifest, digest = FileManifest.from_directory(bundle.directory), bundle.manifest.digest
    stage = request.environment
    notes = {"fingerprint": request.fingerprint, "message": request.message}
    # One request makes code and variables live, so that two deploys at once do not mix them.
    env = {k: v.reveal() for k, v in request.env.items()}
    release = {"deployment": digest, "env": env, **notes}
    with _open_api(settings, credentials) as client:
        report.step("Uploading")
        app = get_or_create(
            lambda: _find_app(client, settings), lambda: _create_app(client, settings)
        )
        # The deployment's id is its content's digest: a repeated request creates no second one.
        path = f"/apps/{app['id']}"
        upload(
            client.put(f"{path}/deployments/{digest}", json=manifest.paths).json()["missing"],
            lambda blob: client.put(f"/blobs/{blob}", content=manifest.read(blob)),
            report=report,
            size=lambda blob: manifest.get_size([blob]),
        )
        report.step("Releasing")
        client.put(f"{path}/{stage}", json=release)
        state = poll(
            lambda: client.get(f"{path}/{stage}").json(),
            lambda state: state["state"] != "building" or not request.wait,
            timeout=600,
        )
    if state["state"] == "failed":
        raise DeploymentFailed(f"Acme cannot run {digest!r}: {state['error']}.", "Read its log.")
    return _to_deployment(state["deployment"])


@hookimpl
def mastra_deployments(settings: AcmeDeployer, credentials: Env, limit: int) -> list[Deployment]:
    with _open_api(settings, credentials) as client:
        app = _find_app(client, settings)
        items = client.get(f"/apps/{app['id']}/deployments").json()["deployments"] if app else []
    return [_to_deployment(item) for item in items[:limit]]


def _open_api(settings: AcmeDeployer, credentials: Env) -> Any:
    from mastra_deployer.kit import open_client

    return open_client(settings.api_url, credentials, "ACME_TOKEN", name="Acme")


def _find_app(client: Any, settings: AcmeDeployer) -> dict[str, Any] | None:
    return next(iter(client.get("/apps", params={"name": settings.app}).json()["apps"]), None)


def _create_app(client: Any, settings: AcmeDeployer) -> dict[str, Any]:
    created: dict[str, Any] = client.post("/apps", json={"name": settings.app}).json()
    return created


def _to_deployment(data: dict[str, Any]) -> Deployment:
    created = dt.datetime.fromisoformat(data.pop("created"))
    return Deployment(target="acme", created=created, **data)
