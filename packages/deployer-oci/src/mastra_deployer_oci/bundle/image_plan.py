"""What a bundle has of an image before anybody asked a registry."""

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
    """The app's layers, and the config as far as the base does not say it.

    :param base: the image to stand on; empty for none.
    :param app: digest of the app's own files alone, whatever machine it is for.
    """

    base: str
    architecture: str
    layers: tuple[Layer, ...]
    config: dict[str, Any]
    app: str


def write_plan(plan: ImagePlan, directory: Path) -> None:
    """Write them into a bundle."""
    text = msgspec.json.format(msgspec.json.encode(plan, order="deterministic"), indent=2)
    (directory / PLAN_FILE).write_bytes(text + b"\n")


def read_plan(directory: Path) -> ImagePlan:
    """Those of a bundle.

    :raises BundleError: where they are missing, or of another version of this package.
    """
    try:
        plan = msgspec.json.decode((directory / PLAN_FILE).read_bytes(), type=ImagePlan)
        for layer in plan.layers:
            if not DIGEST.fullmatch(layer.digest):  # it is a file's name, and leads nowhere else
                raise msgspec.ValidationError(f"{layer.digest!r} is no digest")
        return plan
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(
            f"{PLAN_FILE} in {str(directory)!r} cannot be read: {error}.",
            "Bundle again: mastra bundle oci.",
        ) from None
