"""Store what the user trusts, in the user's configuration directory."""

from __future__ import annotations

import contextlib
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
from mastra_deployer.files.home_directory import NO_HOME, find_home_directory
from mastra_deployer.files.lock_file import lock_file

__all__ = (
    "TRUST_VARIABLE",
    "TrustStore",
    "change_trust",
    "compute_file_digest",
    "is_trusted_file",
    "is_trusted_host",
    "load_trust",
)

TRUST_VARIABLE = "MASTRA_TRUST"
_FILE = "trust.json"
_MOVE = "Set MASTRA_CONFIG_DIR to a writable directory outside of your projects."


class TrustStore(msgspec.Struct, kw_only=True):
    """The hosts and files that the user trusts.

    :param hosts: hosts that may receive credentials, even if only project files name them.
    :param files: digests of deployers that are project files, by their absolute paths.
    """

    hosts: list[str] = []
    files: dict[str, str] = {}


def load_trust() -> TrustStore:
    """Return the hosts and files that the user trusts; empty if nothing is stored.

    :raises ConfigError: when the file cannot be read.
    """
    directory = _find_config_directory()
    if directory is None:
        return TrustStore()
    file = directory / _FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=TrustStore)
    except FileNotFoundError:
        return TrustStore()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error}.",
            "Correct the file. Or delete it, and trust the hosts and files again.",
        ) from None


@contextlib.contextmanager
def change_trust() -> Iterator[TrustStore]:
    """Yield the stored trust, and store its changes after the block; concurrent changes wait.

    If the block raises an error, nothing is stored.

    :raises ConfigError: when the file cannot be read or written.
    """
    directory = _find_config_directory()
    if directory is None:
        raise ConfigError(f"There is no directory for the configuration. {NO_HOME}", _MOVE)
    file = directory / _FILE
    with contextlib.ExitStack() as stack:
        with _convert_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(file.with_suffix(".lock").open("a+b"))
            lock_file(lock, wait=True)
        store = load_trust()
        yield store
        content = {"hosts": sorted(set(store.hosts)), "files": dict(sorted(store.files.items()))}
        text = f"{json.dumps(content, indent=2)}\n"
        with _convert_errors(file):
            replace_file(file, text.encode(), file.with_suffix(f".{os.getpid()}"), mode=0o600)


@contextlib.contextmanager
def _convert_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be written: {error.strerror}.",
            _MOVE,
        ) from None


def is_trusted_host(host: str) -> bool:
    """Return whether the trust store or ``MASTRA_TRUST`` contains a host.

    ``MASTRA_TRUST`` is not read from ``.env``, because ``.env`` is a file of the project.

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
    :raises ConfigError: when the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Check the path."
        ) from None


def _iter_variable() -> Iterator[str]:
    yield from filter(None, re.split(r"[\s,]+", os.environ.get(TRUST_VARIABLE, "")))


def _find_config_directory() -> Path | None:
    """Return the directory of the user's configuration; ``None`` for a user without a home."""
    if directory := os.environ.get("MASTRA_CONFIG_DIR"):
        return Path(directory).absolute()
    variable = {"win32": "APPDATA", "darwin": ""}.get(sys.platform, "XDG_CONFIG_HOME")
    if directory := os.environ.get(variable):
        return Path(directory) / "mastra"
    home = find_home_directory()
    names = {"darwin": ("Library", "Application Support", "mastra"), "win32": ("mastra",)}
    return home and home.joinpath(*names.get(sys.platform, (".config", "mastra")))
