"""The hooks that ``mastra`` calls. Each one names the module that does the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_core import Secret
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    Deployment,
    DeployRequest,
    Plan,
    Problem,
    Report,
    Target,
)
from mastra_deployer_oci.bundle.platforms import PLATFORMS
from mastra_deployer_oci.settings import OciDeployer

__all__ = (
    "mastra_bundle",
    "mastra_check",
    "mastra_deploy",
    "mastra_deployments",
    "mastra_destroy",
    "mastra_doctor",
    "mastra_inspect",
    "mastra_plan",
    "mastra_preview",
    "mastra_promote",
    "mastra_rollback",
    "mastra_target",
)


@hookimpl
def mastra_target() -> Target:
    """Describe any OCI registry; whoever runs the image keeps the values of the app's variables."""
    return Target(
        name="oci",
        summary="a container image in any OCI registry, made and pushed without Docker",
        settings=OciDeployer,
        credentials=("OCI_PASSWORD", "OCI_USERNAME", "OCI_TOKEN"),
        platforms=PLATFORMS,
        requirements=(
            "httptools>=0.6.3",
            "uvicorn>=0.38",
            "uvloop>=0.21 ; sys_platform != 'win32'",
        ),
        previews=True,
        stores_env=False,
    )


@hookimpl
def mastra_check(build: Build, settings: OciDeployer) -> Iterable[Problem]:
    """Check names, numbers and the machine."""
    from mastra_deployer_oci.bundle.checks import check_build

    return check_build(build, settings)


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: OciDeployer, report: Report) -> Bundle:
    """Write the layers of an image."""
    from mastra_deployer_oci.bundle.bundle import bundle_image

    return bundle_image(build, directory, settings, report)


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check that every layer is complete."""
    from mastra_deployer_oci.bundle.checks import inspect_bundle

    return inspect_bundle(bundle)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the image with what the registry has."""
    from mastra_deployer_oci.deploy.deploy import plan

    return plan(bundle, settings, credentials, request)


@hookimpl
def mastra_deploy(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Push the image and move its tag."""
    from mastra_deployer_oci.deploy.deploy import deploy

    return deploy(bundle, settings, credentials, request, report)


@hookimpl
def mastra_deployments(
    settings: OciDeployer, credentials: Mapping[str, Secret], limit: int
) -> Iterable[Deployment]:
    """List the images that were deployed, the newest first."""
    from mastra_deployer_oci.manage.deployments import list_deployments

    return list_deployments(settings, credentials, limit)


@hookimpl
def mastra_promote(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move production's tag to an image that exists."""
    from mastra_deployer_oci.manage.deployments import promote

    return promote(settings, credentials, id, report)


@hookimpl
def mastra_rollback(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move production's tag to the image that it named before."""
    from mastra_deployer_oci.manage.deployments import rollback

    return rollback(settings, credentials, id, report)


@hookimpl
def mastra_destroy(
    settings: OciDeployer, credentials: Mapping[str, Secret], report: Report
) -> bool:
    """Delete every manifest that a deploy made."""
    from mastra_deployer_oci.manage.deployments import destroy

    return destroy(settings, credentials, report)


@hookimpl
def mastra_doctor(settings: OciDeployer, credentials: Mapping[str, Secret]) -> Iterable[Problem]:
    """Check that the registry would accept a deploy."""
    from mastra_deployer_oci.manage.doctor import diagnose

    return diagnose(settings, credentials)


@hookimpl
def mastra_preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Run the image on this machine."""
    from mastra_deployer_oci.preview import preview

    return preview(bundle, host, port, env)
