"""Find the directories of an app's databases, which a host must keep between deploys."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Iterator

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.sources.first_party import list_first_party_files
from mastra_deployer.checks.parsed_sources import ParsedSources

__all__ = ("Database", "find_databases", "list_directories")

_SCHEME = re.compile(r"(libsql:file|[a-z0-9+]+):(?=[/.\w])(///|//)?", re.IGNORECASE)
_UNKNOWN = ("...", "django.db.backends")  # the path is not in the string
_UNUSABLE = ("/", "/app", "/tmp")  # noqa: S108  # the image, and a directory that is emptied


@dataclasses.dataclass(frozen=True, kw_only=True)
class Database:
    """A database file that the app writes.

    :param text: the text as written in the source.
    :param where: file and line.
    :param path: the path of the file; empty if only the running app knows it.
    """

    text: str
    where: str
    path: str


def find_databases(project: Project) -> tuple[Database, ...]:
    """Return the database files that the project's code names.

    A database that is only the default value of a required variable is left out, because the
    variable is always set.

    :param project: the project, whose code is read.
    """
    required = {name.upper() for name in project.environment.required}
    files = list_first_party_files(project)
    sources = ParsedSources(project.root, project.import_root, files)
    return tuple(
        Database(text=store.text, where=f"{item.path}:{store.line}", path=_parse_path(store.text))
        for item in sources.iter_findings()
        for store in item.stores
        if store.variable.upper() not in required
    )


def list_directories(databases: Iterable[Database], home: str) -> tuple[str, ...]:
    """Return the directories of the databases; leave out subdirectories of a returned directory.

    :param databases: the databases.
    :param home: the working directory, which relative paths start from.
    :raises ConfigError: when a directory cannot be a volume.
    """
    found = sorted({_find_directory(each, home) for each in databases})
    return tuple(_iter_outermost(found))


def _iter_outermost(directories: list[str]) -> Iterator[str]:
    for directory in directories:
        if not any(directory.startswith(f"{other}/") for other in directories):
            yield directory


def _parse_path(text: str) -> str:
    if any(part in text for part in _UNKNOWN):
        return ""
    return _SCHEME.sub("", text, count=1).partition("?")[0]


def _find_directory(database: Database, home: str) -> str:
    path = posixpath.normpath(posixpath.join(home, database.path or "file"))
    directory = posixpath.dirname(path)
    if directory in _UNUSABLE or path.startswith("//"):
        raise ConfigError(
            f"{database.where}: {database.text!r} is in {directory!r}, which cannot be a volume of "
            "a container.",
            "Use a separate directory, such as 'sqlite:////data/app.db'. Or use a path relative "
            "to the working directory: 'sqlite:///app.db'.",
        )
    return directory
