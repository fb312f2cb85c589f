"""Machines: as uv names them for wheels, and as images do."""

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
    """``x86_64-manylinux_2_28`` as ``amd64``.

    :raises ConfigError: for a machine that no image is made for.
    """
    machine = wheels.partition("-")[0]
    if machine not in _ARCHITECTURES or "linux" not in wheels:
        raise ConfigError(
            f"Images are for Linux on x86_64 and aarch64, not for {wheels!r}.",
            "Pass --platform x86_64-manylinux_2_28 or aarch64-manylinux_2_28.",
        )
    return _ARCHITECTURES[machine]


def to_machine(architecture: str) -> str:
    """``amd64`` as ``x86_64``; what is not known as it is."""
    return {image: machine for machine, image in _ARCHITECTURES.items()}.get(
        architecture, architecture
    )
