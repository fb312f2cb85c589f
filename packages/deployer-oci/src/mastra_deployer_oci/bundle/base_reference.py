"""Find the base image that the settings name."""

from __future__ import annotations

from mastra_deployer_oci.api.reference import Reference
from mastra_deployer_oci.settings import SCRATCH, OciDeployer

__all__ = ("find_base",)


def find_base(settings: OciDeployer, python: str) -> Reference | None:
    """Return the reference of the base image; ``None`` for an image without a base image.

    :param settings: settings of the deployer.
    :param python: the app's Python version, which replaces ``{python}``.
    :raises ConfigError: when the setting is not a valid reference.
    """
    if settings.base == SCRATCH:
        return None
    return Reference.parse(settings.base.replace("{python}", python))
