"""Parse the URL of a database, and show it without its secrets.

A URL names an SQLite file (``sqlite:///app.db``) or a PostgreSQL server
(``postgresql://user:password@host:5432/name``). The path of a file is relative to the working
directory. Under ``mastra dev``, ``mastra start`` and ``python .mastra/index.py``, the working
directory is the project's directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from mastra_core.errors import ConfigError

__all__ = (
    "DATABASE_URL",
    "DatabaseUrl",
    "mask_url",
    "parse_database_url",
    "read_database_url",
)

DATABASE_URL = "MASTRA_DATABASE_URL"
_DEFAULT = "sqlite:///mastra.db"
_HINT = 'Use "sqlite:///file.db" or "postgresql://user:password@host:5432/name".'
_ENCODE = "In a user name or password, write characters such as @, / and # as %40, %2F and %23."


class DatabaseUrl:
    """The URL of a database; it prints without its user, password and options.

    :param kind: ``sqlite`` or ``postgresql``.
    :param path: path of the SQLite file, or ``:memory:``; empty for PostgreSQL.
    :param url: the URL with its secrets.
    :param display: the URL without its secrets.
    """

    __slots__ = ("_url", "display", "kind", "path")

    def __init__(
        self, kind: Literal["sqlite", "postgresql"], *, path: str = "", url: str, display: str
    ) -> None:
        self.kind = kind
        self.path = path
        self.display = display
        self._url = url

    def reveal(self) -> str:
        """Return the URL with its secrets."""
        return self._url

    def __str__(self) -> str:
        return self.display

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.display!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)


def read_database_url(environment: Mapping[str, str] | None = None) -> DatabaseUrl:
    """Return the database that ``MASTRA_DATABASE_URL`` names.

    If the variable is not set, the database is the file ``mastra.db`` in the working directory.

    :param environment: the environment variables; those of the process by default.
    :raises ConfigError: when the URL is invalid.
    """
    values = os.environ if environment is None else environment
    text = values.get(DATABASE_URL, "").strip()
    if not text:
        return parse_database_url(_DEFAULT)
    try:
        return parse_database_url(text)
    except ConfigError as error:
        raise ConfigError(f"{DATABASE_URL} is invalid: {error.message}", error.hint) from None


def parse_database_url(text: str) -> DatabaseUrl:
    """Parse the URL of a database.

    :param text: the URL.
    :raises ConfigError: when the URL is invalid. The error message contains no password.
    """
    scheme, separator, rest = text.partition(":")
    if scheme == "sqlite" and separator:
        return _parse_sqlite(text, rest)
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        return _parse_postgresql(text)
    raise ConfigError(f"The database {mask_url(text)!r} is of an unknown kind.", _HINT)


def mask_url(url: str) -> str:
    """Return a URL without its user, its password and its options, which may be secret.

    :param url: the URL, which need not be valid.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url if "@" not in url else "****"
    user, at, place = rest.rpartition("@")
    place = place.partition("?")[0] if at else rest.partition("?")[0]
    return f"{scheme}://{'****@' if at and user else ''}{place}"


def _parse_sqlite(text: str, rest: str) -> DatabaseUrl:
    path = rest.removeprefix("///")
    if path == rest or not path:
        raise ConfigError(
            f"The database {text!r} names no file.",
            'Use "sqlite:///file.db" for a file in the working directory, or '
            '"sqlite:////data/file.db" for an absolute path.',
        )
    return DatabaseUrl("sqlite", path=path, url=text, display=text)


def _parse_postgresql(text: str) -> DatabaseUrl:
    try:
        parts = urlsplit(text)
        port = parts.port or 5432
    except ValueError:  # its message may contain a part of the password
        raise ConfigError(
            f"The host or port of the database {mask_url(text)!r} is invalid.", _ENCODE
        ) from None
    if parts.fragment or "@" in parts.path:
        raise ConfigError(
            "The URL of the PostgreSQL database contains an unencoded '#', or an unencoded '@' "
            "after '/'.",
            _ENCODE,
        )
    host = parts.hostname or _get_option(parts, "host")
    name = unquote(parts.path.removeprefix("/")) or _get_option(parts, "dbname")
    if not name:
        raise ConfigError(f"The URL {mask_url(text)!r} names no database.", _HINT)
    place = f"[{host}]" if ":" in host else host
    display = f"postgresql://{place}:{port}/{quote(name)}"
    return DatabaseUrl("postgresql", url="postgresql" + text[len(parts.scheme) :], display=display)


def _get_option(parts: SplitResult, name: str) -> str:
    """Return an option in the query of a URL, empty if there is none."""
    return parse_qs(parts.query).get(name, [""])[0]
