"""The plan of an image, which the deployer writes without access to a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mastra_core.errors import BundleError
from mastra_deployer_oci.api.reference import DIGEST
from mastra_deployer_oci.bundle.layers import Layer

__all__ = ("BLOBS", "PLAN_FILE", "ImagePlan", "read_plan", "write_plan")

BLOBS = "blobs/sha256"
PLAN_FILE = "mastra-image.json"


class ImagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The app's layers and the app's part of the image config, without the base image.

    :param base: reference of the base image; empty without a base image.
    :param architecture: architecture of the image, ``amd64`` or ``arm64``.
    :param layers: the app's layers, the lowest first.
    :param config: the app's part of the image config.
    :param app: digest of the app's own sources, the same for every platform.
    """

    base: str
    architecture: str
    layers: tuple[Layer, ...]
    config: dict[str, Any]
    app: str


def write_plan(plan: ImagePlan, directory: Path) -> None:
    """Write the plan into a bundle.

    :param plan: plan of the image.
    :param directory: directory of the bundle.
    """
    text = msgspec.json.format(msgspec.json.encode(plan, order="deterministic"), indent=2)
    (directory / PLAN_FILE).write_bytes(text + b"\n")


def read_plan(directory: Path) -> ImagePlan:
    """Read the plan of a bundle.

    :param directory: directory of the bundle.
    :returns: the plan.
    :raises BundleError: when the plan is missing or invalid.
    """
    try:
        plan = msgspec.json.decode((directory / PLAN_FILE).read_bytes(), type=ImagePlan)
        for layer in plan.layers:
            if not DIGEST.fullmatch(
                layer.digest
            ):  # digests become file names, so a path must not pass
                raise msgspec.ValidationError(f"{layer.digest!r} is not a valid digest")
        return plan
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(
            f"{PLAN_FILE} in {str(directory)!r} cannot be read: {error}.",
            "Bundle again: mastra bundle oci.",
        ) from None
