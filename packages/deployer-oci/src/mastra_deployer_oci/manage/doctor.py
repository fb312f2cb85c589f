"""Check whether the registry would accept a deploy."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.errors import DeployError
from mastra_core.pipeline import Problem
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

__all__ = ("diagnose",)


def diagnose(settings: OciDeployer, credentials: Mapping[str, Secret]) -> list[Problem]:
    """Check access to the target repository, and to the base image unless it has a placeholder.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the problems found.
    :raises ConfigError: when the setting ``base`` names no image.
    :raises AuthError: when the registry rejects the login.
    """
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.bundle.base_reference import find_base
    from mastra_deployer_oci.deploy.base_image import open_base

    reference = None if "{" in settings.base else find_base(settings, "")
    with open_target(settings, credentials) as registry:
        registry.list_tags()
    if reference is None:
        return []
    with open_base(reference, settings, credentials) as source:
        try:
            image = source.find_manifest(reference.pointer)
        except DeployError as error:
            return [Problem(message=error.message, hint=error.hint)]
    if image is None:
        message = f"The base image {str(reference)!r} does not exist."
        return [Problem(message=message, hint="Check its name and tag in -s base=...")]
    return []
