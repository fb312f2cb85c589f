"""The app's own code: each file that may matter is parsed once."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from mastra_deployer.checks.names import Names
from mastra_deployer.checks.reads import Read, variables_read
from mastra_deployer.checks.settings_classes import settings_reads
from mastra_deployer.checks.stores import Store, stores

__all__ = ("Findings", "Sources")

# Without one of these words a file reads no variable and names no database.
_WORDS = re.compile(
    rb"environ|getenv|Secret|BaseSettings|[Cc]onfig|sqlite|duckdb|libsql|apsw|file:|\"\w+:|'\w+:"
)
_MODEL = re.compile(r"[a-z][a-z0-9-]*:[\w.:/@-]+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """What one file has in it.

    :param path: relative to the project's root.
    :param models: line of each string that looks like ``provider:model``.
    :param unread: why it could not be parsed, or empty.
    """

    path: str
    reads: tuple[Read, ...] = ()
    written: frozenset[str] = frozenset()
    stores: tuple[Store, ...] = ()
    models: tuple[tuple[str, int], ...] = ()
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
        self._parsed = cache(self._parse)

    def findings(self) -> Iterator[Findings]:
        """What there is to say of each file that may read a variable or name a database."""
        for path, source in self._files.items():
            if _WORDS.search(source):
                yield self._found(path)

    def mentions(self, word: str) -> bool:
        """Whether any file has ``word`` in it, as code or as text."""
        wanted = re.compile(rb"\b" + re.escape(word.encode()) + rb"\b", re.IGNORECASE)
        return any(wanted.search(source) for source in self._files.values())

    def _found(self, path: Path) -> Findings:
        name = path.relative_to(self._root).as_posix()
        tree = self._parsed(path)
        if isinstance(tree, str):
            return Findings(path=name, unread=tree)
        names = self._names(path, tree)
        try:
            reads, written = variables_read(tree, names)
        except RecursionError:
            return Findings(path=name, unread="it is nested too deeply")
        return Findings(
            path=name,
            reads=(*reads, *settings_reads(tree, names)),
            written=frozenset(written),
            stores=tuple(stores(tree, names)),
            models=tuple(_models(tree)),
        )

    def _parse(self, path: Path) -> ast.Module | str:
        try:
            return ast.parse(self._files[path])
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or "it is nested too deeply"

    def _names(self, path: Path, tree: ast.Module) -> Names:
        package = ""
        if path.is_relative_to(self._import_root):
            package = ".".join(path.relative_to(self._import_root).parent.parts)
        return Names(tree, package, self._constant)

    def _constant(self, origin: str) -> str | None:
        """The text of a constant of another module of the app (``shop.config.KEY``)."""
        module, _, name = origin.rpartition(".")
        stem = self._import_root.joinpath(*module.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            tree = self._parsed(path) if module and path in self._files else ""
            if isinstance(tree, ast.Module):
                return self._names(path, tree).constants.get(name)
        return None


def _models(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Constant) and isinstance(text, str) and _MODEL.fullmatch(text):
            yield text, node.lineno
