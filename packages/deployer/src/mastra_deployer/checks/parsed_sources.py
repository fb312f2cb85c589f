"""Parse all relevant files of the app's own code, each only once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mastra_deployer.checks.settings_classes import find_settings_reads
from mastra_deployer.checks.variable_reads import VariableRead, find_variable_reads
from mastra_deployer.code_analysis.app_modules import AppModules
from mastra_deployer.code_analysis.database_files import DatabaseFile, find_database_files

__all__ = ("FileFindings", "ParsedSources")

# A file without these words reads no variable, has no settings class, and names no database.
_READING = re.compile(rb"environ|getenv|Secret|starlette|decouple")
_SETTINGS = re.compile(rb"BaseSettings")
_STORING = re.compile(rb"sqlite|duckdb|libsql|apsw|file:|\.db", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileFindings:
    """What one file contains.

    :param path: the path relative to the project's root.
    :param reads: places that read a variable.
    :param written: variables that the file sets itself.
    :param stores: the database files that the source names.
    :param unread: the reason why the file could not be parsed, or empty.
    """

    path: str
    reads: tuple[VariableRead, ...] = ()
    written: frozenset[str] = frozenset()
    stores: tuple[DatabaseFile, ...] = ()
    unread: str = ""


class ParsedSources:
    """Reads files of a project or of its copy.

    :param root: the directory that reported paths are relative to.
    :param import_root: the directory that is on ``sys.path``.
    :param files: the files; only Python files are read.
    """

    def __init__(self, root: Path, import_root: Path, files: Iterable[Path]) -> None:
        self._modules = AppModules(root, import_root, files)
        self._files = self._modules.files

    def iter_findings(self) -> Iterator[FileFindings]:
        """Yield the findings of each file that may read a variable or name a database."""
        for path, source in self._files.items():
            if any(words.search(source) for words in (_READING, _SETTINGS, _STORING)):
                yield self._find_in_file(path, source)

    def locate_model(self, providers: Iterable[str]) -> str:
        """Return the file and line of the first string that names a model, if any.

        :param providers: names of model providers.
        """
        listed = "|".join(map(re.escape, providers))
        model = re.compile(rf"[\"'](?:{listed}):[\w.:/@-]+[\"']".encode())
        for path, source in self._files.items():
            if listed and (match := model.search(source)):
                line = source.count(b"\n", 0, match.start()) + 1
                return f"{self._modules.format_path(path)}:{line}"
        return ""

    def may_mention(self, name: str) -> bool:
        """Return whether any file contains a variable's name, as code or as text.

        If the app has settings classes, the end of the variable's name is enough, because a class
        may compute the prefix.

        :param name: the name of the variable.
        """
        words = [name]
        if any(_SETTINGS.search(source) for source in self._files.values()):
            parts = name.split("_")
            words += ["_".join(parts[start:]) for start in range(1, len(parts))]
        listed = "|".join(map(re.escape, words))
        pattern = re.compile(rf"\b(?:{listed})\b".encode(), re.IGNORECASE)
        return any(pattern.search(source) for source in self._files.values())

    def _find_in_file(self, path: Path, source: bytes) -> FileFindings:
        name = self._modules.format_path(path)
        code = self._modules.parse(path)
        if isinstance(code, str):
            return FileFindings(path=name, unread=code)
        names = self._modules.make_resolver(path, code)
        reads: list[VariableRead] = []
        written: set[str] = set()
        if _READING.search(source):
            try:
                reads, written = find_variable_reads(code.tree, names)
            except RecursionError:
                return FileFindings(path=name, unread="it is nested too deeply")
        if _SETTINGS.search(source):
            reads += find_settings_reads(code, names)
        databases = find_database_files(code, names) if _STORING.search(source) else ()
        return FileFindings(
            path=name, reads=tuple(reads), written=frozenset(written), stores=tuple(databases)
        )
