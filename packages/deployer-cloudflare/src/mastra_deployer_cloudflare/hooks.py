"""The hooks of the Cloudflare deployer. A hook imports its module only when the hook is called.

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
    Problem,
    Report,
    Target,
    TargetLimits,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

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
    "mastra_verify",
)

_SDK = "workers-runtime-sdk==1.9.5"  # the runtime has not contained it since 2026-04-21
# https://developers.cloudflare.com/workers/platform/limits/
_LIMITS = TargetLimits(size=64 << 20, variable=5 * 1024, request=100_000_000)


@hookimpl
def mastra_target() -> Target:
    """Describe the target: a Python Worker, on Pyodide."""
    from mastra_deployer.kit import PYODIDE

    return Target(
        name="cloudflare",
        summary="a Python Worker on Cloudflare, by its API",
        settings=CloudflareDeployer,
        credentials=("CLOUDFLARE_API_TOKEN",),
        platforms=(PYODIDE,),
        index_setting="index",
        requirements=(_SDK,),
        limits=_LIMITS,
        previews=True,
        emulated_previews=True,
        persistent_disk=False,
        short_lived=True,
        run_databases=("d1",),
        stored_env_stages=("production",),
    )


@hookimpl
def mastra_check(build: Build, settings: CloudflareDeployer) -> Iterable[Problem]:
    """Check the settings, the names of modules and bindings, and the code of the app."""
    from mastra_deployer_cloudflare.bundle.checks import check_build
    from mastra_deployer_cloudflare.settings_checks import check_settings

    return [*check_settings(settings), *check_build(build, settings)]


@hookimpl
def mastra_bundle(
    build: Build, directory: Path, settings: CloudflareDeployer, report: Report
) -> Bundle:
    """Write the modules of the Worker, and ``worker.json``."""
    from mastra_deployer_cloudflare.bundle.bundle import write_bundle

    return write_bundle(build, directory, settings, report)


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check the layout of a bundle, and the size of all modules."""
    from mastra_deployer_cloudflare.bundle.checks import inspect_bundle

    return inspect_bundle(bundle)


@hookimpl
def mastra_verify(bundle: Bundle, report: Report) -> Iterable[Problem]:
    """Import the Worker in Pyodide, without randomness and without values of variables."""
    from mastra_deployer_cloudflare.preview.import_check import verify_bundle

    return verify_bundle(bundle, report)


@hookimpl
def mastra_preview(
    bundle: Bundle, settings: CloudflareDeployer, host: str, port: int, env: Mapping[str, Secret]
) -> int:
    """Run the Worker on this machine, in Pyodide on Node, with local bindings from wrangler."""
    from mastra_deployer_cloudflare.preview.preview import preview

    return preview(bundle, settings, host, port, env)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the Worker, its resources and its addresses with the settings."""
    from mastra_deployer_cloudflare.deploy.plan import plan_deploy

    return plan_deploy(bundle, settings, credentials, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Upload a version of the Worker, and send the traffic to it."""
    from mastra_deployer_cloudflare.deploy.deploy import deploy

    return deploy(bundle, settings, credentials, request, report)


@hookimpl
def mastra_deployments(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the versions of the Worker with their shares of the traffic, newest first.

    The list is empty while there is no Worker.
    """
    from mastra_deployer_cloudflare.manage.deployments import list_deployments

    return list_deployments(settings, credentials, limit)


@hookimpl
def mastra_promote(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Send all traffic to a version."""
    from mastra_deployer_cloudflare.manage.promotion import promote

    return promote(settings, credentials, id, report)


@hookimpl
def mastra_rollback(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Send all traffic to an earlier version."""
    from mastra_deployer_cloudflare.manage.promotion import rollback

    return rollback(settings, credentials, id, report)


@hookimpl
def mastra_canary(
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    percent: int,
    report: Report,
) -> Deployment:
    """Send a share of the traffic to a version, with a gradual deployment."""
    from mastra_deployer_cloudflare.manage.promotion import set_canary

    return set_canary(settings, credentials, id, percent, report)


@hookimpl
def mastra_logs(
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    since: dt.datetime | None,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield the log of the Worker.

    The first line is of one hour ago by default. An empty id selects all versions that have
    traffic.
    """
    from mastra_deployer_cloudflare.manage.logs import read_logs

    return read_logs(settings, credentials, id, since, follow=follow)


@hookimpl
def mastra_env(settings: CloudflareDeployer, credentials: Mapping[str, Secret]) -> EnvStore:
    """Return the store of the Worker's secrets; there is none for previews."""
    from mastra_deployer_cloudflare.resources.worker_secrets import open_env_store

    return open_env_store(settings, credentials)


@hookimpl
def mastra_doctor(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret]
) -> Iterable[Problem]:
    """Check the token, its permissions, the account, and the zones of the routes."""
    from mastra_deployer_cloudflare.manage.doctor import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_destroy(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], report: Report
) -> bool:
    """Delete the Worker with its versions and secrets, and keep its databases and buckets.

    The report names the resources that remain.
    """
    from mastra_deployer_cloudflare.manage.delete_worker import destroy

    return destroy(settings, credentials, report)
