"""The hooks of the Vercel deployer. A hook imports its module only when the hook is called.

``mastra_core.hooks.DeployerSpec`` documents the arguments and the results.
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
    TargetLimits,
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

_RUNTIME = "vercel-runtime==0.23.2"  # as Vercel's own builder installed it when this was written
_MACHINES = ("x86_64", "aarch64")
# https://vercel.com/docs/environment-variables/reserved-environment-variables
_RESERVED = (
    "AWS_SECRET_KEY",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "NOW_REGION",
    "TZ",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
)


@hookimpl
def mastra_target() -> Target:
    """Describe the target: functions on Amazon Linux 2023, with Vercel's Python versions."""
    return Target(
        name="vercel",
        summary="functions on Vercel, by its HTTP API",
        settings=VercelDeployer,
        credentials=("VERCEL_TOKEN", "VERCEL_AUTOMATION_BYPASS_SECRET"),
        optional_credentials=("VERCEL_AUTOMATION_BYPASS_SECRET",),
        platforms=tuple(
            Platform(python=python, wheels=f"{machine}-manylinux_2_28")
            for machine in _MACHINES
            for python in PYTHONS
        ),
        requirements=(_RUNTIME,),
        limits=TargetLimits(size=SIZE, variables=64 * 1024),
        previews=True,
        native_previews=True,
        persistent_disk=False,
        short_lived=True,
        run_databases=("postgresql",),
        websockets=False,
        reserved_variables=_RESERVED,
    )


@hookimpl
def mastra_check(build: Build, settings: VercelDeployer) -> Iterable[Problem]:
    """Check the settings, the names of variables, and the app."""
    return check_build(build, settings)


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: VercelDeployer) -> Bundle:
    """Write ``.vercel/output`` with one function."""
    from mastra_deployer_vercel.bundle.build_output import write_output

    write_output(build, directory, settings)
    return Bundle.seal(build, directory, "vercel")


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check the layout of a bundle; the command itself checks the size of the bundle."""
    return inspect_bundle(bundle)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the project, its variables and its files with Vercel, without changing anything."""
    from mastra_deployer_vercel.deploy.plan import plan_deploy

    return plan_deploy(bundle, settings, credentials, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: VercelDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Upload the files, create the deployment, and wait until it is ready."""
    from mastra_deployer_vercel.deploy.deploy import deploy

    return deploy(bundle, settings, credentials, request, report)


@hookimpl
def mastra_deployments(
    settings: VercelDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the deployments of the project, newest first: ``GET /v6/deployments``.

    The list is empty while there is no project.
    """
    from mastra_deployer_vercel.manage.deployments import list_deployments

    return list_deployments(settings, credentials, limit)


@hookimpl
def mastra_promote(
    settings: VercelDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production domains to a deployment; deploy a preview's files to production first.

    The id of a deployment is ``dpl_...``.
    """
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.promotion import promote

    with open_api(settings, credentials) as client:
        return promote(client, settings, id, report)


@hookimpl
def mastra_rollback(
    settings: VercelDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production domains back to an earlier deployment, with Vercel's instant rollback."""
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
    """Send a share of the production traffic to a deployment, with a rolling release."""
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
    """Yield the runtime logs of a deployment.

    The first line is of one hour ago by default.
    """
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.manage.logs import read_logs

    with open_api(settings, credentials) as client:
        yield from read_logs(client, settings, id, since, follow=follow)


@hookimpl
def mastra_env(
    settings: VercelDeployer, credentials: Mapping[str, Secret], environment: Stage
) -> EnvStore:
    """Return the store of the project's variables for one environment."""
    from mastra_deployer.kit import env_store
    from mastra_deployer_vercel.api import open_api
    from mastra_deployer_vercel.resources.project import get_or_create_project
    from mastra_deployer_vercel.resources.variables import Variables

    return env_store(
        lambda: open_api(settings, credentials),
        lambda client: Variables(client, settings, environment),
        create=lambda client: get_or_create_project(client, settings),
    )


@hookimpl
def mastra_doctor(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterable[Problem]:
    """Check the token, the team, the plan and the project's protection."""
    from mastra_deployer_vercel.manage.doctor import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_destroy(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> bool:
    """Delete the project, its deployments and its variables: ``DELETE /v9/projects/{name}``."""
    from mastra_deployer_vercel.manage.deployments import destroy

    return destroy(settings, credentials)


@hookimpl
def mastra_preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Run the function on this machine, with Vercel's own runtime."""
    from mastra_deployer_vercel.preview.preview import preview

    return preview(bundle, host, port, env)
