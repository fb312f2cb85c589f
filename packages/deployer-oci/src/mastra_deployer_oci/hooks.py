"""The hooks of the OCI deployer. A hook imports its module only when the hook is called.

``mastra_core.hooks.DeployerSpec`` documents the arguments and the results.
"""

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
    """Describe the target: any OCI registry.

    An image contains no values of environment variables, so the target does not store values.
    """
    return Target(
        name="oci",
        summary="a container image in any OCI registry, built and pushed without Docker",
        settings=OciDeployer,
        credentials=("OCI_PASSWORD", "OCI_USERNAME", "OCI_TOKEN"),
        optional_credentials=("OCI_PASSWORD", "OCI_USERNAME", "OCI_TOKEN"),
        platforms=PLATFORMS,
        requirements=(
            "httptools>=0.6.3",
            "uvicorn>=0.38",
            "uvloop>=0.21 ; sys_platform != 'win32'",
        ),
        previews=True,
        stores_env=False,
        persistent_disk=False,
        volumes=True,
    )


@hookimpl
def mastra_check(build: Build, settings: OciDeployer) -> Iterable[Problem]:
    """Check the settings and the platform of a build."""
    from mastra_deployer_oci.bundle.checks import check_build

    return check_build(build, settings)


@hookimpl
def mastra_bundle(build: Build, directory: Path, settings: OciDeployer, report: Report) -> Bundle:
    """Write the layers of an image."""
    from mastra_deployer_oci.bundle.bundle import bundle_image

    return bundle_image(build, directory, settings, report)


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check that all layers of a bundle are complete."""
    from mastra_deployer_oci.bundle.checks import inspect_bundle

    return inspect_bundle(bundle)


@hookimpl
def mastra_plan(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the image with the registry, without changing the registry."""
    from mastra_deployer_oci.deploy.plan import plan_deploy

    return plan_deploy(bundle, settings, credentials, request)


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
    """List the deployed images, newest first."""
    from mastra_deployer_oci.manage.deployments import list_deployments

    return list_deployments(settings, credentials, limit)


@hookimpl
def mastra_promote(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production tag to an image in the registry.

    The id of a deployment is ``mastra-...``.
    """
    from mastra_deployer_oci.manage.deployments import promote

    return promote(settings, credentials, id, report)


@hookimpl
def mastra_rollback(
    settings: OciDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Move the production tag back to its previous image."""
    from mastra_deployer_oci.manage.deployments import rollback

    return rollback(settings, credentials, id, report)


@hookimpl
def mastra_destroy(
    settings: OciDeployer, credentials: Mapping[str, Secret], report: Report
) -> bool:
    """Delete all manifests of deployments."""
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
