"""Find the base image that the settings name."""

from __future__ import annotations

from mastra_core.errors import ConfigError
from mastra_deployer_oci.api.reference import DOCKER_HUB, Reference
from mastra_deployer_oci.settings import SCRATCH, OciDeployer

__all__ = ("find_base",)

_EMPTY = (DOCKER_HUB, "library/scratch")  # Docker's name for no base image; it cannot be pulled


def find_base(settings: OciDeployer, python: str) -> Reference | None:
    """Return the reference of the base image; ``None`` for an image without a base image.

    :param settings: settings of the deployer.
    :param python: the app's Python version, which replaces ``{python}``.
    :raises ConfigError: when the setting is not a valid reference, or names the empty image.
    """
    if settings.base == SCRATCH:
        return None
    base = Reference.parse(settings.base.replace("{python}", python))
    if (base.registry, base.repository) == _EMPTY:
        raise ConfigError(
            f"base={settings.base!r} is an empty image without a Python.",
            f"Write base={SCRATCH}, so that the deployer adds a Python to the image, or name an "
            "image that contains a Python.",
        )
    return base
