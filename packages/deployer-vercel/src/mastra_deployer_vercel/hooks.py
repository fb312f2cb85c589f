"""The hooks: what ``mastra`` calls. The work is in the modules they name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from mastra_core import Secret
from mastra_core.hooks import EnvStore, hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    Deployment,
    DeployRequest,
    Limits,
    LogLine,
    Plan,
    Platform,
    Problem,
    Report,
    Stage,
    Target,
)
from mastra_deployer_vercel.bundle.checks import PYTHONS, SIZE, check_build, inspect_bundle
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = (
    "mastra_bundle",
    "mastra_canary",
    "mastra_check",
    "mastra_deploy",
    "mastra_deployments",
    "mastra_destroy",
    "mastra_doctor",
    "mastra_env",
    "mastra_inspect",
    "mastra_logs",
    "mastra_plan",
    "mastra_preview",
    "mastra_promote",
    "mastra_rollback",
    "mastra_target",
)

_RUNTIME = "vercel-runtime==0.23.2"  # what Vercel's own builder of that time puts in
_MACHINES = ("x86_64", "aarch64")


@hookimpl
def mastra_target() -> Target:
    """Functions on Amazon Linux 2023, in the Pythons Vercel has."""
    return Target(
        name="vercel",
        summary="functions on Vercel, by its HTTP API",
        settings=VercelDeployer,
        credentials=("VERCEL_TOKEN", "VERCEL_AUTOMATION_BYPASS_SECRET"),
        platforms=tuple(
            Platform(python=python, wheels=f"{machine}-manylinux_2_28")
            for machine in _MACHINES
            for python in PYTHONS
        ),
        requirements=(_RUNTIME,),
        limits=Limits(size=SIZE),
        previews=True,
        persistent_disk=False,
    )


@hookimpl
def mastra_check(build: Build, settings: VercelDeployer) -> Iterable[Problem]:
    """Names, numbers, and what functions cannot do."""
    return check_build(build, settings)


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: VercelDeployer) -> Bundle:
    """``.vercel/output`` with one function."""
    from mastra_deployer_vercel.bundle.build_output import write_output

    write_output(build, directory, settings)
    return Bundle.seal(build, directory, "vercel")


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Layout; the size is checked by the host."""
    return inspect_bundle(bundle)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Project, variables, and what of the archive Vercel has."""
    from mastra_deployer_vercel.deploy.deploy import plan

    return plan(bundle, settings, credentials, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Upload, create, wait."""
    from mastra_deployer_vercel.deploy.deploy import deploy

    return deploy(bundle, settings, credentials, request, report)


@hookimpl
def mastra_deployments(
    settings: VercelDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """Those of the project, newest first."""
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.resources.deployments import iter_deployments, to_deployment
    from mastra_deployer_vercel.resources.project import find_project

    with open_api(settings, credentials) as client:
        project = find_project(client, settings)
        if project is None:
            return []
        items = iter_deployments(client, project["id"], limit)
        return [to_deployment(item, project, settings) for item in items]


@hookimpl
def mastra_promote(
    settings: VercelDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move production's domains, or deploy a preview's files to production."""
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.promotion import promote

    with open_api(settings, credentials) as client:
        return promote(client, settings, id, report)


@hookimpl
def mastra_rollback(
    settings: VercelDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Vercel's instant rollback."""
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.promotion import rollback

    with open_api(settings, credentials) as client:
        return rollback(client, settings, id, report)


@hookimpl
def mastra_canary(
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    percent: int,
    report: Report,
) -> Deployment:
    """A rolling release."""
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.canary import set_canary

    with open_api(settings, credentials) as client:
        return set_canary(client, settings, id, percent, report)


@hookimpl
def mastra_logs(
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    since: dt.datetime | None,
    follow: bool,
) -> Iterator[LogLine]:
    """Runtime logs."""
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.logs import read_logs

    with open_api(settings, credentials) as client:
        yield from read_logs(client, settings, id, since, follow=follow)


@hookimpl
def mastra_env(
    settings: VercelDeployer, credentials: Mapping[str, Secret], environment: Stage
) -> EnvStore:
    """The project's variables for one environment."""
    from mastra_deployer_vercel.manage.env import VercelEnvStore

    return cast("EnvStore", VercelEnvStore(settings, credentials, environment))


@hookimpl
def mastra_doctor(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterable[Problem]:
    """Token, team, plan, protection."""
    from mastra_deployer_vercel.manage.doctor import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_destroy(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> bool:
    """``DELETE /v9/projects/{name}``: the project with its deployments and variables."""
    from mastra_deployer_vercel.api import build_project_path, open_api

    with open_api(settings, credentials) as client:
        response = client.delete(build_project_path(settings), extensions={"mastra_accept": (404,)})
        return response.is_success


@hookimpl
def mastra_preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Vercel's own runtime, on this machine."""
    from mastra_deployer_vercel.preview.preview import preview

    return preview(bundle, host, port, env)
