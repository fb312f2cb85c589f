"""Parse the modules of an app, and resolve their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from mastra_deployer.project.ast_names import NameResolver, ParsedModule

__all__ = ("AppModule", "AppModules")


class AppModule(NamedTuple):
    """A parsed module of the app.

    :param path: the path relative to the project's root.
    :param name: the dotted name; for an ``__init__``, the name of its package.
    :param package: the package that its relative imports start from.
    :param code: the parsed module.
    :param names: resolves the names in the module.
    """

    path: str
    name: str
    package: str
    code: ParsedModule
    names: NameResolver


class AppModules:
    """Parses the Python files of a project, or of a copy of it. Each file is parsed on first use.

    :param root: the directory that reported paths are relative to.
    :param import_root: the directory that is on ``sys.path``.
    :param files: the files; only Python files are read.
    """

    def __init__(self, root: Path, import_root: Path, files: Iterable[Path]) -> None:
        self._root, self._import_root = root, import_root
        code = sorted(path for path in files if path.suffix == ".py")
        self.files = {path: path.read_bytes() for path in code}
        self.parse = lru_cache(maxsize=4)(self._parse)  # trees are large
        self._constants = cache(self._collect_constants)

    def iter_modules(self) -> Iterator[AppModule]:
        """Yield each module that can be parsed."""
        for path in self.files:
            code = self.parse(path)
            if not isinstance(code, str):
                package = self._get_package(path)
                name = f"{package}.{path.stem}".lstrip(".")
                name = package if path.stem == "__init__" else name
                names = self.make_resolver(path, code)
                yield AppModule(self.format_path(path), name, package, code, names)

    def format_path(self, path: Path) -> str:
        """Return a path relative to the root, as problems show it.

        :param path: the path of a file.
        """
        return path.relative_to(self._root).as_posix()

    def make_resolver(self, path: Path, code: ParsedModule) -> NameResolver:
        """Return a resolver of a module's names, which knows the constants of other modules.

        :param path: the path of the file.
        :param code: the parsed module.
        """
        return NameResolver(code, self._get_package(path), self._lookup_constant)

    def _parse(self, path: Path) -> ParsedModule | str:
        """Parse a file; if it cannot be parsed, return the reason as a string."""
        try:
            return ParsedModule.parse(self.files[path])
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or "it is nested too deeply"

    def _get_package(self, path: Path) -> str:
        if not path.is_relative_to(self._import_root):
            return ""
        return ".".join(path.relative_to(self._import_root).parent.parts)

    def _lookup_constant(self, origin: str) -> str | None:
        """Return the string of a constant in another module of the app (``shop.config.KEY``)."""
        module, _, name = origin.rpartition(".")
        stem = self._import_root.joinpath(*module.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if module and path in self.files:
                return self._constants(path).get(name)
        return None

    def _collect_constants(self, path: Path) -> dict[str, str]:
        code = self.parse(path)
        return {} if isinstance(code, str) else self.make_resolver(path, code).constants
