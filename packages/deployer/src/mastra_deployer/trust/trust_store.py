"""Store what the user trusts, in the user's configuration directory."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mastra_core.errors import ConfigError
from mastra_deployer.files.atomic_replace import replace_file

__all__ = (
    "TRUST_VARIABLE",
    "TrustStore",
    "compute_file_digest",
    "is_trusted_file",
    "is_trusted_host",
    "load_trust",
    "save_trust",
)

TRUST_VARIABLE = "MASTRA_TRUST"


class TrustStore(msgspec.Struct, kw_only=True):
    """The hosts and files that the user trusts.

    :param hosts: hosts that may receive credentials although only project files name them.
    :param files: digests of deployers that are project files, by their absolute paths.
    """

    hosts: list[str] = []
    files: dict[str, str] = {}


def load_trust() -> TrustStore:
    """Return the hosts and files that the user trusts; empty if nothing is stored.

    :raises ConfigError: when the file cannot be read.
    """
    file = _get_store_file()
    try:
        return msgspec.json.decode(file.read_bytes(), type=TrustStore)
    except FileNotFoundError:
        return TrustStore()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error}.",
            "Correct the file. Or delete it, and trust the hosts and files again.",
        ) from None


def save_trust(store: TrustStore) -> None:
    """Replace the stored hosts and files.

    :param store: the hosts and files that the user trusts now.
    :raises ConfigError: when the file cannot be written.
    """
    file = _get_store_file()
    draft = file.with_suffix(f".{os.getpid()}")
    content = {"hosts": sorted(set(store.hosts)), "files": dict(sorted(store.files.items()))}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, f"{json.dumps(content, indent=2)}\n".encode(), draft, mode=0o600)
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be written: {error.strerror}.",
            "Set MASTRA_CONFIG_DIR to a writable directory outside of your projects.",
        ) from None


def is_trusted_host(host: str) -> bool:
    """Return whether the user trusts a host, in the store or in ``MASTRA_TRUST``.

    Only the real environment is read, because ``.env`` is a file of the project.

    :param host: the host as ``format_host`` writes it.
    """
    return host in (name.lower() for name in _iter_variable()) or host in load_trust().hosts


def is_trusted_file(path: Path) -> bool:
    """Return whether the user trusts a file, by ``MASTRA_TRUST`` or by its content.

    :param path: absolute path of the file.
    """
    path = path.resolve()
    if path in (Path(name).resolve() for name in _iter_variable() if "/" in name):
        return True
    return load_trust().files.get(str(path)) == compute_file_digest(path)


def compute_file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    :param path: the file.
    :raises ConfigError: when it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Check the path."
        ) from None


def _iter_variable() -> Iterator[str]:
    yield from filter(None, re.split(r"[\s,]+", os.environ.get(TRUST_VARIABLE, "")))


def _get_store_file() -> Path:
    return _get_config_directory() / "trust.json"


def _get_config_directory() -> Path:
    if directory := os.environ.get("MASTRA_CONFIG_DIR"):
        return Path(directory).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "mastra"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "mastra"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mastra"
