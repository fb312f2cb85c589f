"""Cache layers that many images share: interpreters, and unchanged dependencies."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from mastra_deployer.kit import ArchiveEntry, get_cache_directory, temporary_directory
from mastra_deployer_oci.bundle.layers import Layer, hash_layer, write_layer

__all__ = ("get_or_create_layer", "write_cached_layer")

_MAX_LAYERS = 12  # the least recently used ones are removed


def write_cached_layer(purpose: str, entries: Iterable[ArchiveEntry], blobs: Path) -> Layer:
    """Write a layer, like ``write_layer``, but compress the same contents only once.

    :param purpose: a name for the content of the layer, for messages.
    :param entries: the entries, in any order.
    :param blobs: directory of the bundle's blobs.
    :returns: the layer.
    :raises ConfigError: when the cache directory cannot be created.
    """
    entries = list(entries)
    key = hash_layer(entries)
    return get_or_create_layer(key, blobs, lambda blobs: write_layer(purpose, entries, blobs))


def get_or_create_layer(key: str, blobs: Path, create: Callable[[Path], Layer]) -> Layer:
    """Copy a layer from the cache to ``blobs``, or create the layer and cache it.

    If a layer cannot be cached, it is created each time. A damaged layer in the cache is replaced.

    :param key: hash of everything that the layer is made from.
    :param blobs: directory of the bundle's blobs.
    :param create: a function that writes the layer into the directory that it receives.
    :returns: the layer.
    :raises ConfigError: when the cache directory cannot be created.
    """
    directory = get_cache_directory("oci-layers") / key
    if layer := _load_layer(directory, blobs):
        return layer
    layer = create(blobs)
    with contextlib.suppress(OSError):
        _store_layer(layer, blobs, directory)
        _remove_old_layers(directory.parent)
    return layer


def _load_layer(directory: Path, blobs: Path) -> Layer | None:
    try:
        layer = msgspec.json.decode((directory / "layer.json").read_bytes(), type=Layer)
        name = layer.digest.removeprefix("sha256:")
        with (directory / name).open("rb") as file:
            is_whole = hashlib.file_digest(file, "sha256").hexdigest() == name
        if is_whole:
            blobs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / name, blobs / name)
            os.utime(directory)  # its last use
            return layer
    except (OSError, msgspec.DecodeError):
        pass
    shutil.rmtree(directory, ignore_errors=True)
    return None


def _store_layer(layer: Layer, blobs: Path, directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    name = layer.digest.removeprefix("sha256:")
    with temporary_directory(directory.parent) as temporary:
        draft = temporary / "draft"
        draft.mkdir()
        shutil.copyfile(blobs / name, draft / name)
        (draft / "layer.json").write_bytes(msgspec.json.encode(layer))
        draft.rename(directory)  # atomic: a reader never sees half a layer


def _remove_old_layers(directory: Path) -> None:
    layers = [path.parent for path in directory.glob("*/layer.json")]
    layers.sort(key=lambda path: path.stat().st_mtime)
    for path in layers[:-_MAX_LAYERS]:
        shutil.rmtree(path, ignore_errors=True)
