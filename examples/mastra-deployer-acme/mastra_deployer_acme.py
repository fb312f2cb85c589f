"""A complete deployer for a small platform, as a third party would publish it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from mastra_core import Secret
from mastra_core.errors import AuthError
from mastra_core.hooks import hookimpl
from mastra_core.line import Build, Bundle, Deployment, DeployRequest, Report, Target

__all__ = ("AcmeDeployer", "mastra_bundle", "mastra_deploy", "mastra_target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AcmeDeployer:
    """Settings: in `deployer=`, in `[tool.mastra.targets.acme]`, or as `-s key=value`."""

    target: ClassVar[str] = "acme"

    app: str
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "ACME_TOKEN"})
    api_url: str = dataclasses.field(
        default="https://api.acme.example", metadata={"env": "ACME_API_URL"}
    )


@hookimpl
def mastra_target() -> Target:
    return Target(
        name="acme",
        summary="Acme's machines, which run `python index.py`",
        settings=AcmeDeployer,
        credentials=("ACME_TOKEN",),
        requirements=("uvicorn>=0.34", "httptools>=0.6.3"),
        previews=True,
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: AcmeDeployer) -> Bundle:
    build.copy_to(directory)
    return Bundle.seal(build, directory, "acme", app=settings.app)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: AcmeDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    from mastra_deployer.kit import Manifest, upload

    manifest = Manifest.of(bundle.directory)
    app, deployment = f"/apps/{settings.app}", bundle.manifest.digest
    env = {name: value.reveal() for name, value in request.env.items()}
    with _client(settings, credentials) as client:
        report.step("Announcing")
        # Named by its content: announcing twice gives the same deployment, so a retry is safe.
        answer = client.put(f"{app}/deployments/{deployment}", json=manifest.paths)
        report.step("Uploading")
        upload(
            answer.json()["missing"],
            lambda digest: client.put(f"/blobs/{digest}", content=manifest.read(digest)),
            report=report,
            size=lambda digest: manifest.size([digest]),
        )
        report.step("Activating")
        client.put(f"{app}/env", json=env)
        live = client.put(f"{app}/{request.environment}", json={"deployment": deployment})
    return Deployment(
        target="acme",
        id=deployment,
        url=live.json()["url"],
        environment=request.environment,
        created=dt.datetime.now(dt.UTC),
    )


def _client(settings: AcmeDeployer, credentials: Mapping[str, Secret]):  # type: ignore[no-untyped-def]  # httpx loads with the kit
    from mastra_deployer.kit import connect

    if "ACME_TOKEN" not in credentials:
        raise AuthError("ACME_TOKEN is not set.", "Make a token at Acme and set ACME_TOKEN.")
    return connect(settings.api_url, credentials["ACME_TOKEN"])
