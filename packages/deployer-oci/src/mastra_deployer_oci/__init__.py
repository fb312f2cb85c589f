"""Deploys an app as a container image to any OCI registry. No Docker anywhere."""

from mastra_deployer_oci.bundling import mastra_bundle, mastra_check, mastra_inspect
from mastra_deployer_oci.deploying import mastra_deploy, mastra_plan
from mastra_deployer_oci.doctor import mastra_doctor
from mastra_deployer_oci.managing import (
    mastra_deployments,
    mastra_destroy,
    mastra_promote,
    mastra_rollback,
)
from mastra_deployer_oci.preview import mastra_preview
from mastra_deployer_oci.settings import OciDeployer
from mastra_deployer_oci.target import mastra_target

__all__ = (
    "OciDeployer",
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
