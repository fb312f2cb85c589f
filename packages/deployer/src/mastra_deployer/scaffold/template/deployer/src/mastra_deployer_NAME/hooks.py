"""The hooks that mastra calls; docs/hooks.md of mastra lists their signatures.

Each hook imports what it needs when it is called: `mastra targets` imports this module for every
installed deployer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mastra_core import Secret
from mastra_core.hooks import EnvStore, hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    Deployment,
    DeployRequest,
    LogLine,
    Plan,
    Platform,
    Problem,
    Report,
    Stage,
    Target,
)

from mastra_deployer_<<NAME>>.settings import <<cls>>

Credentials = Mapping[str, Secret]


@hookimpl
def mastra_target() -> Target:
    """Describe <<title>>, without the network and without heavy imports."""
    return Target(
        name="<<name>>",
        summary="<<title>>'s machines, which run `python index.py`",
        settings=<<cls>>,
        credentials=("<<ENV>>_TOKEN",),
        platforms=(Platform(wheels="x86_64-manylinux_2_28"),),
        requirements=("uvicorn>=0.38", "httptools>=0.6.3"),
        previews=True,
        native_previews=True,
    )


@hookimpl
def mastra_bundle(build: Build, directory: Path) -> Bundle:
    """Create the bundle."""
    from mastra_deployer_<<NAME>>.bundle import create_bundle

    return create_bundle(build, directory)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: <<cls>>,
    credentials: Credentials,
    request: DeployRequest,
) -> Plan:
    """Describe what a deploy would do."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.deploy import plan

    with open_api(settings, credentials) as api:
        return plan(api, bundle, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: <<cls>>,
    credentials: Credentials,
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Upload the bundle and make it live."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.deploy import deploy

    with open_api(settings, credentials) as api:
        return deploy(api, bundle, request, report)


@hookimpl
def mastra_deployments(
    settings: <<cls>>,
    credentials: Credentials,
    limit: int,
) -> list[Deployment]:
    """List the deployments, the newest first."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.manage import list_deployments

    with open_api(settings, credentials) as api:
        return list_deployments(api, limit)


@hookimpl
def mastra_promote(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    report: Report,
    fingerprint: str,
) -> Deployment:
    """Make an existing deployment live in production."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.deploy import release

    with open_api(settings, credentials) as api:
        return release(api, "production", id, report, fingerprint=fingerprint)


@hookimpl
def mastra_rollback(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    report: Report,
) -> Deployment:
    """Make an earlier deployment live in production again."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.manage import roll_back

    with open_api(settings, credentials) as api:
        return roll_back(api, id, report)


@hookimpl
def mastra_canary(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    percent: int,
    report: Report,
) -> Deployment:
    """Send a share of production's traffic to a deployment."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.manage import split_traffic

    with open_api(settings, credentials) as api:
        return split_traffic(api, id, percent, report)


@hookimpl
def mastra_logs(
    settings: <<cls>>,
    credentials: Credentials,
    id: str,
    since: dt.datetime | None,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield the log of a deployment."""
    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.manage import read_logs

    with open_api(settings, credentials) as api:
        yield from read_logs(api, id, since, follow=follow)


@hookimpl
def mastra_env(
    settings: <<cls>>,
    credentials: Credentials,
    environment: Stage,
) -> EnvStore:
    """Open the store of a stage's variables."""
    from mastra_deployer.kit import env_store

    from mastra_deployer_<<NAME>>.api import open_api
    from mastra_deployer_<<NAME>>.manage import Variables

    return env_store(
        lambda: open_api(settings, credentials),
        lambda api: Variables(api, environment),
    )


@hookimpl
def mastra_doctor(
    settings: <<cls>>,
    credentials: Credentials,
) -> Iterable[Problem]:
    """Check that the token works."""
    from mastra_deployer_<<NAME>>.manage import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_destroy(
    settings: <<cls>>,
    credentials: Credentials,
) -> bool:
    """Delete the app with all its deployments and variables."""
    from mastra_deployer_<<NAME>>.api import open_api

    with open_api(settings, credentials) as api:
        return api.delete_app()


@hookimpl
def mastra_preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Run the bundle on this machine."""
    from mastra_deployer_<<NAME>>.preview import preview

    return preview(bundle, host, port, env)
