"""What a bundle has of an image before anybody asked a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mastra_core.errors import BundleError
from mastra_deployer_oci.api.reference import DIGEST
from mastra_deployer_oci.bundle.layers import Layer

__all__ = ("BLOBS", "PARTS", "Parts", "read_parts", "write_parts")

BLOBS = "blobs/sha256"
PARTS = "mastra-image.json"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The app's layers, and the config as far as the base does not say it.

    :param base: the image to stand on; empty for none.
    :param app: digest of the app's own files alone, whatever machine it is for.
    """

    base: str
    architecture: str
    layers: tuple[Layer, ...]
    config: dict[str, Any]
    app: str


def write_parts(parts: Parts, directory: Path) -> None:
    """Write them into a bundle."""
    text = msgspec.json.format(msgspec.json.encode(parts, order="deterministic"), indent=2)
    (directory / PARTS).write_bytes(text + b"\n")


def read_parts(directory: Path) -> Parts:
    """Those of a bundle.

    :raises BundleError: where they are missing, or of another version of this package.
    """
    try:
        parts = msgspec.json.decode((directory / PARTS).read_bytes(), type=Parts)
        for layer in parts.layers:
            if not DIGEST.fullmatch(layer.digest):  # it is a file's name, and leads nowhere else
                raise msgspec.ValidationError(f"{layer.digest!r} is no digest")
        return parts
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(
            f"{PARTS} in {str(directory)!r} cannot be read: {error}.",
            "Bundle again: mastra bundle oci.",
        ) from None
