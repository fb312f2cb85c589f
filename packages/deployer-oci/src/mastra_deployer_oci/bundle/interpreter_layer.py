"""Write the layer with the interpreter, for an image without a base image."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from mastra_deployer.kit import (
    ArchiveEntry,
    BundledPython,
    compute_interpreter_key,
    iter_python_entries,
    iter_shared_libraries,
    list_extension_modules,
    strip_entries,
    temporary_directory,
)
from mastra_deployer_oci.bundle.layer_cache import get_or_create_layer
from mastra_deployer_oci.bundle.layers import Layer, write_layer

__all__ = ("PREFIX", "build_interpreter_layer")

PREFIX = "usr/local"

_VERSION = 4  # of the layer that this module writes
_USERS = "root:x:0:0:root:/root:/sbin/nologin\napp:x:{user}:{group}:app:/tmp:/sbin/nologin\n"
_GROUP = "root:x:0:\napp:x:{group}:\n"
_SWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def build_interpreter_layer(python: BundledPython, user: str, blobs: Path, *, strip: bool) -> Layer:
    """Write a layer with an interpreter, its shared libraries, a user and CA certificates.

    :param python: the interpreter.
    :param user: user that runs the app, as numeric ``user[:group]``.
    :param blobs: directory of the bundle's blobs.
    :param strip: whether to remove the symbols from the interpreter.
    :returns: the layer.
    """

    def write(blobs: Path) -> Layer:
        with temporary_directory() as temp_dir:
            entries = [*iter_python_entries(python, PREFIX, temp_dir), *system_entries]
            written = strip_entries(entries) if strip else entries
            return write_layer(f"Python {python.full_version}", written, blobs)

    libraries = iter_shared_libraries(python.path, list_extension_modules(python))
    system_entries = [*libraries, *_iter_system_entries(user)]
    key = compute_interpreter_key(python, system_entries, _VERSION, strip)
    return get_or_create_layer(key, blobs, write)


def _iter_system_entries(user: str) -> Iterator[ArchiveEntry]:
    uid, _, group = user.partition(":")
    names = {"user": uid, "group": group or uid}
    yield ArchiveEntry(path="etc/passwd", content=_USERS.format(**names).encode())
    yield ArchiveEntry(path="etc/group", content=_GROUP.format(**names).encode())
    yield ArchiveEntry(path="etc/nsswitch.conf", content=_SWITCH.encode())
    yield ArchiveEntry(path="tmp", mode=0o1777, directory=True)
    certificates = ssl.get_default_verify_paths().cafile or f"/{_CERTIFICATES}"
    if Path(certificates).is_file():
        yield ArchiveEntry(path=_CERTIFICATES, content=Path(certificates).read_bytes())
