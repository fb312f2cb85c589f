"""Deploy an app as a container image to any OCI registry, without Docker."""

from mastra_deployer_oci.settings import OciDeployer

__all__ = ("OciDeployer",)
