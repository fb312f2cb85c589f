"""Cache layers that are the same for all apps of a platform."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from mastra_deployer.kit import get_cache_directory
from mastra_deployer_oci.bundle.layers import Layer

__all__ = ("get_or_create_layer",)


def get_or_create_layer(key: str, blobs: Path, create: Callable[[Path], Layer]) -> Layer:
    """Copy a layer from the cache to ``blobs``, or create the layer and cache it.

    If a layer cannot be cached, it is created each time.

    :param key: key of the layer.
    :param blobs: directory of the bundle's blobs.
    :param create: writes the layer into the directory that it is given.
    :returns: the layer.
    :raises ConfigError: when the cache directory cannot be created.
    """
    directory = get_cache_directory("oci-layers") / key
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return _load_layer(directory, blobs)
    layer = create(blobs)
    with contextlib.suppress(OSError):
        _store_layer(layer, blobs, directory)
    return layer


def _load_layer(directory: Path, blobs: Path) -> Layer:
    layer = msgspec.json.decode((directory / "layer.json").read_bytes(), type=Layer)
    blobs.mkdir(parents=True, exist_ok=True)
    name = layer.digest.removeprefix("sha256:")
    shutil.copyfile(directory / name, blobs / name)
    return layer


def _store_layer(layer: Layer, blobs: Path, directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    name = layer.digest.removeprefix("sha256:")
    with tempfile.TemporaryDirectory(dir=directory.parent, ignore_cleanup_errors=True) as temporary:
        draft = Path(temporary) / "draft"
        draft.mkdir()
        shutil.copyfile(blobs / name, draft / name)
        (draft / "layer.json").write_bytes(msgspec.json.encode(layer))
        draft.rename(directory)  # atomic: a reader never sees half a layer
