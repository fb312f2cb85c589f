"""Convert platforms between uv's names and the architecture names of images."""

from __future__ import annotations

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform

__all__ = ("PLATFORMS", "to_architecture", "to_machine")

PLATFORMS = (
    Platform(wheels="x86_64-manylinux_2_28"),
    Platform(wheels="aarch64-manylinux_2_28"),
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def to_architecture(wheels: str) -> str:
    """Return the image architecture of a wheel platform.

    :param wheels: the platform as uv names it, ``x86_64-manylinux_2_28``.
    :returns: the architecture, ``amd64``.
    :raises ConfigError: when images are not supported on the platform.
    """
    machine = wheels.partition("-")[0]
    if machine not in _ARCHITECTURES or "linux" not in wheels:
        raise ConfigError(
            f"Images are built for Linux on x86_64 and aarch64, not for {wheels!r}.",
            "Pass --platform x86_64-manylinux_2_28 or aarch64-manylinux_2_28.",
        )
    return _ARCHITECTURES[machine]


def to_machine(architecture: str) -> str:
    """Return the machine name of an image architecture.

    :param architecture: the architecture, ``amd64``.
    :returns: the machine name, ``x86_64``; an unknown architecture is returned unchanged.
    """
    return {image: machine for machine, image in _ARCHITECTURES.items()}.get(
        architecture, architecture
    )
