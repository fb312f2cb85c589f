"""Find files that may contain a secret, and databases, by their names and contents."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from mastra_core.pipeline import Problem

__all__ = ("find_secret_files", "is_database", "is_private")

_DATABASES = ("*.db", "*.db3", "*.sqlite", "*.sqlite3", "*.duckdb", "*.db-wal", "*.db-shm")
# Files of these names may be public certificates too.
_KEYS = ("*.pem", "*.key")
_SECRETS = (
    *("*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "*.kdbx", "id_rsa", "id_dsa", "id_ecdsa"),
    *("id_ed25519", ".env*", "*.env", ".netrc", ".pgpass", ".htpasswd", "kubeconfig"),
    *("credentials.json", "service-account*.json", "client_secret*.json", "*.tfstate", "*.tfvars"),
    *("secrets.json", "secrets.toml", "secrets.yaml", "secrets.yml", "*.ovpn"),
    *("application_default_credentials.json", "*.tfstate.backup", "secring.gpg", "*.agekey"),
)
_PRIVATE_KEY = b"PRIVATE KEY-----"
_READ = 1 << 20  # bytes of a key that are searched


def _compile(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile globs to one pattern, because a project may have many files."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))


_DATABASE_NAME, _KEY_NAME, _SECRET_NAME = map(_compile, (_DATABASES, _KEYS, _SECRETS))
_PRIVATE_NAME = _compile((*_DATABASES, *_KEYS, *_SECRETS))


def is_private(name: str) -> bool:
    """Return whether a file may be a secret or a database.

    :param name: the name of the file, without its directory.
    """
    return _matches(name, _PRIVATE_NAME)


def is_database(name: str) -> bool:
    """Return whether a file is a database, by its name.

    :param name: the name of the file, without its directory.
    """
    return _matches(name, _DATABASE_NAME)


def find_secret_files(
    root: Path, names: Iterable[str], allowlist: Collection[str]
) -> tuple[Problem, ...]:
    """Report files that ship and may contain a secret.

    :param root: the project's directory.
    :param names: the files that ship, relative to ``root``.
    :param allowlist: the files that ``[tool.mastra.build] include`` names without a wildcard.
    """
    return tuple(
        Problem(
            message="This file may contain a secret, and it ships.",
            hint="Leave the file out: [tool.mastra.build] exclude. If it contains no secret, do "
            "not check the file: [tool.mastra.check] ignore.",
            severity="warning",
            where=name,
        )
        for name in sorted(names)
        if name not in allowlist and _is_secret(root / name)
    )


def _is_secret(path: Path) -> bool:
    name = PurePosixPath(path).name
    if not _matches(name, _KEY_NAME):
        return _matches(name, _SECRET_NAME)
    with path.open("rb") as file:
        return _PRIVATE_KEY in file.read(_READ)


def _matches(name: str, pattern: re.Pattern[str]) -> bool:
    return pattern.match(name.lower()) is not None
