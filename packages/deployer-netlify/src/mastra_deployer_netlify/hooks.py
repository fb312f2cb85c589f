"""The hooks of the Netlify deployer. A hook imports its module only when the hook is called.

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
from mastra_deployer_netlify.bundle.checks import check_build, inspect_bundle
from mastra_deployer_netlify.bundle.function_limits import REQUEST, SECONDS
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = (
    "mastra_bundle",
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

# Names that AWS Lambda or Netlify sets; https://docs.netlify.com/build/configure-builds/environment-variables/
_RESERVED = (
    *("AWS_*", "LAMBDA_*", "NETLIFY", "NETLIFY_DEV", "NETLIFY_LOCAL", "SITE_ID", "SITE_NAME"),
    *("BRANCH", "BUILD_ID", "CACHED_COMMIT_REF", "COMMIT_REF", "CONTEXT", "DEPLOY_ID"),
    *("DEPLOY_PRIME_URL", "DEPLOY_URL", "HEAD", "INCOMING_HOOK_*", "PULL_REQUEST"),
    *("REPOSITORY_URL", "REVIEW_ID", "URL"),
)
# The limit for variables is that of AWS Lambda; https://docs.netlify.com/build/functions/overview/
_LIMITS = TargetLimits(variables=4096, request=REQUEST, seconds=SECONDS)
# Netlify's split tests divide the traffic between branches. The request for one is not documented.
_CANARY = (
    "Netlify splits traffic between branches only. Deploy a draft with --prod --no-promote, and "
    "test it at its address. Then run mastra promote, and mastra rollback if necessary."
)


@hookimpl
def mastra_target() -> Target:
    """Describe the target: a Node function with a Python interpreter, on Amazon Linux 2023."""
    return Target(
        name="netlify",
        summary="a function on Netlify, by its HTTP API",
        settings=NetlifyDeployer,
        credentials=("NETLIFY_AUTH_TOKEN",),
        platforms=(Platform(wheels="x86_64-manylinux_2_28"),),
        requirements=("uvicorn>=0.38", "httptools>=0.6.3"),
        limits=_LIMITS,
        previews=True,
        persistent_disk=False,
        short_lived=True,
        run_databases=("postgresql",),
        websockets=False,
        reserved_variables=_RESERVED,
        alternatives={"canary": _CANARY},
    )


@hookimpl
def mastra_check(build: Build, settings: NetlifyDeployer) -> Iterable[Problem]:
    """Check the settings and the names of variables."""
    return check_build(build, settings)


@hookimpl
def mastra_bundle(
    build: Build, directory: Path, settings: NetlifyDeployer, report: Report
) -> Bundle:
    """Write one zipped function, its manifest, and the static files."""
    from mastra_deployer_netlify.bundle.bundle import write_bundle

    return write_bundle(build, directory, settings, report)


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check the layout of a bundle, and the sizes of its functions."""
    return inspect_bundle(bundle)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the site, its variables and its files with Netlify, without changing anything."""
    from mastra_deployer_netlify.deploy.plan import plan_deploy

    return plan_deploy(bundle, settings, credentials, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Create the deployment, send missing files, and wait until the deployment is ready."""
    from mastra_deployer_netlify.deploy.deploy import deploy

    return deploy(bundle, settings, credentials, request, report)


@hookimpl
def mastra_deployments(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret], limit: int
) -> list[Deployment]:
    """List the deployments of the site, newest first: ``GET /sites/{id}/deploys``.

    The list is empty while there is no site.
    """
    from mastra_deployer_netlify.manage.deployments import list_deployments

    return list_deployments(settings, credentials, limit)


@hookimpl
def mastra_promote(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Publish a production deployment, for example a draft."""
    from mastra_deployer_netlify.api import open_api
    from mastra_deployer_netlify.manage.promotion import promote

    with open_api(settings, credentials) as client:
        return promote(client, settings, id, report)


@hookimpl
def mastra_rollback(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Publish an earlier deployment again, by restoring it."""
    from mastra_deployer_netlify.api import open_api
    from mastra_deployer_netlify.manage.promotion import rollback

    with open_api(settings, credentials) as client:
        return rollback(client, settings, id, report)


@hookimpl
def mastra_logs(
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    since: dt.datetime | None,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield the log of a deployment's functions.

    The first line is of one hour ago by default.
    """
    from mastra_deployer_netlify.manage.logs import read_logs

    return read_logs(settings, credentials, id, since, follow=follow)


@hookimpl
def mastra_env(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret], environment: Stage
) -> EnvStore:
    """Return the store of the site's variables for one stage."""
    from mastra_deployer.kit import env_store
    from mastra_deployer_netlify.api import open_api
    from mastra_deployer_netlify.resources.site import find_site, get_or_create_site
    from mastra_deployer_netlify.resources.variables import Variables

    return env_store(
        lambda: open_api(settings, credentials),
        lambda client: Variables(client, find_site(client, settings), environment),
        create=lambda client: get_or_create_site(client, settings),
    )


@hookimpl
def mastra_doctor(
    settings: NetlifyDeployer, credentials: Mapping[str, Secret]
) -> Iterable[Problem]:
    """Check the token, the team, the limits of the plan, and the site's lock and name."""
    from mastra_deployer_netlify.manage.doctor import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_destroy(settings: NetlifyDeployer, credentials: Mapping[str, Secret]) -> bool:
    """Delete the site, its deployments and its variables: ``DELETE /sites/{id}``."""
    from mastra_deployer_netlify.manage.deployments import destroy

    return destroy(settings, credentials)


@hookimpl
def mastra_preview(
    bundle: Bundle, settings: NetlifyDeployer, host: str, port: int, env: Mapping[str, Secret]
) -> int:
    """Run the function's zip on this machine, with Netlify's own bootstrap."""
    from mastra_deployer_netlify.preview.preview import preview

    return preview(bundle, settings, host, port, env)
