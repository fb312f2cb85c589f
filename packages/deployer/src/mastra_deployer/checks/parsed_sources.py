"""The app's own code: each file that may matter is parsed once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

from mastra_deployer.checks.database_files import Store, stores
from mastra_deployer.checks.settings_classes import settings_reads
from mastra_deployer.checks.variable_reads import Read, variables_read
from mastra_deployer.project.ast_names import Code, Names

__all__ = ("Findings", "Sources")

# Without one of these words a file reads no variable, has no such class, names no database.
_READING = re.compile(rb"environ|getenv|Secret|starlette|decouple")
_SETTINGS = re.compile(rb"BaseSettings")
_STORING = re.compile(rb"sqlite|duckdb|libsql|apsw|file:|\.db", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """What one file has in it.

    :param path: relative to the project's root.
    :param unread: why it could not be parsed, or empty.
    """

    path: str
    reads: tuple[Read, ...] = ()
    written: frozenset[str] = frozenset()
    stores: tuple[Store, ...] = ()
    unread: str = ""


class Sources:
    """Reads files of a project, or of a copy of it.

    :param root: what paths are told from.
    :param import_root: what is on ``sys.path``.
    :param files: of which those that are Python's are read.
    """

    def __init__(self, root: Path, import_root: Path, files: Iterable[Path]) -> None:
        self._root, self._import_root = root, import_root
        code = sorted(path for path in files if path.suffix == ".py")
        self._files = {path: path.read_bytes() for path in code}
        self._parsed = lru_cache(maxsize=4)(self._parse)  # trees are large
        self._constants = cache(self._constants_of)

    def findings(self) -> Iterator[Findings]:
        """What there is to say of each file that may read a variable or name a database."""
        for path, source in self._files.items():
            if any(words.search(source) for words in (_READING, _SETTINGS, _STORING)):
                yield self._found(path, source)

    def place_of_model(self, providers: Iterable[str]) -> str:
        """File and line of the first string that is a model of one of ``providers``."""
        listed = "|".join(map(re.escape, providers))
        model = re.compile(rf"[\"'](?:{listed}):[\w.:/@-]+[\"']".encode())
        for path, source in self._files.items():
            if listed and (found := model.search(source)):
                line = source.count(b"\n", 0, found.start()) + 1
                return f"{path.relative_to(self._root).as_posix()}:{line}"
        return ""

    def may_read(self, name: str) -> bool:
        """Whether any file has the name in it, as code or as text.

        Where there are settings classes, the end of the name will do: a prefix may be computed.
        """
        words = [name]
        if any(_SETTINGS.search(source) for source in self._files.values()):
            parts = name.split("_")
            words += ["_".join(parts[start:]) for start in range(1, len(parts))]
        listed = "|".join(map(re.escape, words))
        wanted = re.compile(rf"\b(?:{listed})\b".encode(), re.IGNORECASE)
        return any(wanted.search(source) for source in self._files.values())

    def _found(self, path: Path, source: bytes) -> Findings:
        name = path.relative_to(self._root).as_posix()
        code = self._parsed(path)
        if isinstance(code, str):
            return Findings(path=name, unread=code)
        names = self._names(path, code)
        reads: list[Read] = []
        written: set[str] = set()
        if _READING.search(source):
            try:
                reads, written = variables_read(code.tree, names)
            except RecursionError:
                return Findings(path=name, unread="it is nested too deeply")
        if _SETTINGS.search(source):
            reads += settings_reads(code, names)
        found = stores(code, names) if _STORING.search(source) else ()
        return Findings(
            path=name, reads=tuple(reads), written=frozenset(written), stores=tuple(found)
        )

    def _parse(self, path: Path) -> Code | str:
        """The code, or why there is none."""
        try:
            return Code.parse(self._files[path])
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or "it is nested too deeply"

    def _names(self, path: Path, code: Code) -> Names:
        package = ""
        if path.is_relative_to(self._import_root):
            package = ".".join(path.relative_to(self._import_root).parent.parts)
        return Names(code, package, self._constant)

    def _constant(self, origin: str) -> str | None:
        """The text of a constant of another module of the app (``shop.config.KEY``)."""
        module, _, name = origin.rpartition(".")
        stem = self._import_root.joinpath(*module.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if module and path in self._files:
                return self._constants(path).get(name)
        return None

    def _constants_of(self, path: Path) -> dict[str, str]:
        code = self._parsed(path)
        return {} if isinstance(code, str) else self._names(path, code).constants
