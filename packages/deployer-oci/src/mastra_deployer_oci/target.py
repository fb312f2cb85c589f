"""What this deployer says of itself."""

from __future__ import annotations

from mastra_core.hooks import hookimpl
from mastra_core.line import Target
from mastra_deployer_oci.platforms import PLATFORMS
from mastra_deployer_oci.settings import OciDeployer

__all__ = ("mastra_target",)


@hookimpl
def mastra_target() -> Target:
    """Any OCI registry; who runs the image keeps the values of the app's variables."""
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
