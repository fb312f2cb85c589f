"""What mastra calls; every signature is in its docs/hooks.md."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mastra_core import Secret
from mastra_core.errors import AuthError, DeployError, DeploymentFailed
from mastra_core.hooks import EnvStore, hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    Deployment,
    DeployRequest,
    Platform,
    Problem,
    Report,
    Stage,
    Target,
)

from mastra_deployer_<<NAME>>.api import Api, connected
from mastra_deployer_<<NAME>>.settings import <<cls>>

Credentials = Mapping[str, Secret]

_PATIENCE = 600  # seconds until a deployment that is not ready is given up


@hookimpl
def mastra_target() -> Target:
    """Say what <<title>> is. Called often: no network, no heavy imports."""
    return Target(
        name="<<name>>",
        summary="<<title>>'s machines, which run `python index.py`",
        settings=<<cls>>,
        credentials=("<<ENV>>_TOKEN",),
        platforms=(Platform(wheels="x86_64-manylinux_2_28"),),
        requirements=("uvicorn>=0.38", "httptools>=0.6.3"),
        previews=True,
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    """Arrange the build as <<title>> wants it: here, as it is."""
    build.copy_to(directory)
    return Bundle.seal(build, directory, "<<name>>")


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: <<cls>>,
    credentials: Credentials,
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Upload first, release last: interrupted, nothing is live."""
    from mastra_deployer.kit import Manifest, upload

    # Named by its content, so a repeated request makes no second deployment.
    id, stage = bundle.manifest.digest, request.environment
    manifest = Manifest.of(bundle.directory)
    facts = {"stage": stage, "message": request.message}
    with connected(settings, credentials) as api:
        api.create_app()
        report.step("Uploading")
        upload(
            api.announce(id, manifest.paths, facts),
            lambda digest: api.send(digest, manifest.read(digest)),
            report=report,
            size=lambda digest: manifest.size([digest]),
        )
        api.set_env(stage, {name: value.reveal() for name, value in request.env.items()})
        return _released(api, stage, id, report, request)


@hookimpl
def mastra_deployments(
    settings: <<cls>>,
    credentials: Credentials,
    limit: int,
) -> list[Deployment]:
    """List them, the newest first."""
    with connected(settings, credentials) as api:
        return [_deployment(told) for told in api.deployments()[:limit]]


@hookimpl
def mastra_promote(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    report: Report,
) -> Deployment:
    """Release to production what is there already."""
    with connected(settings, credentials) as api:
        return _released(api, "production", id, report)


@hookimpl
def mastra_rollback(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    report: Report,
) -> Deployment:
    """Release an earlier deployment again."""
    with connected(settings, credentials) as api:
        id = id or api.previous()
        if not id:
            raise DeployError(
                f"The app {settings.app!r} has no deployment to go back to.",
                "`mastra deployments` lists what there is.",
            )
        return _released(api, "production", id, report)


@hookimpl
def mastra_env(
    settings: <<cls>>,
    credentials: Credentials,
    environment: Stage,
) -> EnvStore:
    """Open the store of the app's variables."""
    return _Store(settings=settings, credentials=credentials, stage=environment)


@hookimpl
def mastra_doctor(
    settings: <<cls>>,
    credentials: Credentials,
) -> Iterator[Problem]:
    """Ask whether the token works."""
    try:
        with connected(settings, credentials) as api:
            api.user()
    except AuthError as error:
        yield Problem(message=error.message, hint=error.hint)


@hookimpl
def mastra_destroy(
    settings: <<cls>>,
    credentials: Credentials,
) -> bool:
    """Remove the app with all it has."""
    with connected(settings, credentials) as api:
        return api.destroy()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Store:
    """Names and values of variables; values go there and never come back."""

    settings: <<cls>>
    credentials: Credentials
    stage: Stage

    def list(self) -> Mapping[str, str]:
        with connected(self.settings, self.credentials) as api:
            return dict.fromkeys(api.env(self.stage), self.stage)

    def set(self, values: Mapping[str, Secret]) -> None:
        with connected(self.settings, self.credentials) as api:
            api.create_app()
            api.set_env(self.stage, {name: item.reveal() for name, item in values.items()})

    def unset(self, names: Iterable[str]) -> None:
        with connected(self.settings, self.credentials) as api:
            api.create_app()
            api.set_env(self.stage, dict.fromkeys(names))


def _released(
    api: Api, stage: Stage, id: str, report: Report, request: DeployRequest | None = None
) -> Deployment:
    """Put a deployment before users, and wait until they see it."""
    from mastra_deployer.kit import poll

    report.step("Releasing")
    # Kept with the release: a deploy that breaks off before leaves no fingerprint.
    told = api.release(stage, id, request.fingerprint if request else "")
    if request is None or request.wait:
        told = poll(
            lambda: api.released(stage),
            lambda told: told["state"] != "building",
            timeout=_PATIENCE,
            report=report,
        )
    if told["state"] == "failed":
        raise DeploymentFailed(
            f"<<title>> cannot run {id!r}: {told['error']}.",
            "Mend that and deploy again.",
        )
    return _deployment(told["deployment"])


def _deployment(told: Mapping[str, Any]) -> Deployment:
    return Deployment(
        target="<<name>>",
        id=told["id"],
        url=told["url"],
        environment=told["stage"],
        created=dt.datetime.fromisoformat(told["created"]),
        live=told["live"],
        state=told["state"],
        message=told["message"],
        fingerprint=told["fingerprint"],
    )
