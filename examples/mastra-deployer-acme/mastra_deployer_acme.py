"""A complete deployer for a small platform, as a third party would publish it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mastra_core import Secret
from mastra_core.errors import DeploymentFailed
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Bundle, Deployment, DeployRequest, Report, Target

Env = Mapping[str, Secret]


@dataclass(frozen=True, kw_only=True)
class AcmeDeployer:
    target: ClassVar[str] = "acme"
    app: str
    token: Secret | None = field(default=None, metadata={"env": "ACME_TOKEN"})
    api_url: str = field(default="https://api.acme.example", metadata={"env": "ACME_API_URL"})


@hookimpl
def mastra_target() -> Target:
    return Target(
        name="acme",
        summary="Acme's machines, which run `python index.py`",
        settings=AcmeDeployer,
        credentials=("ACME_TOKEN",),
        requirements=("uvicorn>=0.38", "httptools>=0.6.3"),
        previews=True,
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    build.copy_to(directory)
    return Bundle.seal(build, directory, "acme")


@hookimpl
def mastra_deploy(
    bundle: Bundle, settings: AcmeDeployer, credentials: Env, request: DeployRequest, report: Report
) -> Deployment:
    from mastra_deployer.kit import Manifest, get_or_create, poll, upload

    manifest, name = Manifest.of(bundle.directory), bundle.manifest.digest
    stage = request.environment
    mark = {"deployment": name, "fingerprint": request.fingerprint}
    with _client(settings, credentials) as client:
        report.step("Uploading")
        new = {"json": {"name": settings.app}}
        app = get_or_create(
            lambda: _app(client, settings), lambda: client.post("/apps", **new).json()
        )
        # Named by its content: announcing twice gives the same deployment, so a retry is safe.
        place = f"/apps/{app['id']}"
        upload(
            client.put(f"{place}/deployments/{name}", json=manifest.paths).json()["missing"],
            lambda digest: client.put(f"/blobs/{digest}", content=manifest.read(digest)),
            report=report,
            size=lambda digest: manifest.size([digest]),
        )
        report.step("Releasing")
        client.put(f"{place}/env/{stage}", json={k: v.reveal() for k, v in request.env.items()})
        client.put(f"{place}/{stage}", json=mark)
        live = poll(
            lambda: client.get(f"{place}/{stage}").json(),
            lambda told: told["state"] != "building" or not request.wait,
            timeout=600,
        )
    if live["state"] == "failed":
        raise DeploymentFailed(f"Acme cannot run {name!r}: {live['error']}.", "Read its log.")
    return _deployment(live["deployment"])


@hookimpl
def mastra_deployments(settings: AcmeDeployer, credentials: Env, limit: int) -> list[Deployment]:
    with _client(settings, credentials) as client:
        app = _app(client, settings)
        told = client.get(f"/apps/{app['id']}/deployments").json()["deployments"] if app else []
    return [_deployment(each) for each in told[:limit]]


def _client(settings: AcmeDeployer, credentials: Env) -> Any:
    from mastra_deployer.kit import connect

    return connect(settings.api_url, credentials["ACME_TOKEN"])


def _app(client: Any, settings: AcmeDeployer) -> dict[str, Any] | None:
    return next(iter(client.get("/apps", params={"name": settings.app}).json()["apps"]), None)


def _deployment(told: dict[str, Any]) -> Deployment:
    created = dt.datetime.fromisoformat(told.pop("created"))
    return Deployment(target="acme", created=created, **told)
