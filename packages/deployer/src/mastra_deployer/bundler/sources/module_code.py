"""Read the imports of one module, and the names in its strings."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
import warnings
from collections.abc import Iterator

from mastra_deployer.bundler.resolve.unneeded_requirements import (
    NEEDING_MODULES,
    find_needing_names,
)
from mastra_deployer.project.ast_imports import StaticImport, read_imports

__all__ = ("ModuleCode", "parse_module", "share_parsed_modules")

_MAX_LENGTH = 200  # of a string that may be a path or a dotted name
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?::\w+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModuleCode:
    """One module of the app, as it ships.

    :param tree: the syntax tree of the module; empty for a file that this Python cannot parse.
    :param nodes: all nodes of the tree.
    :param names: the parts of each dotted name that the module imports, and the part of each string
        before its first dot or colon.
    :param modules: absolute dotted names that the module imports, and strings that look like such
        names, as in the settings of frameworks. The names in ``NEEDING_MODULES`` are included if
        their parts occur in the module.
    :param imports: the static imports of the module.
    :param words: the parts of the module's strings, which are split at slashes, and the names that
        the module imports.
    """

    tree: ast.Module
    nodes: tuple[ast.AST, ...]
    names: frozenset[str]
    modules: frozenset[str]
    imports: tuple[StaticImport, ...]
    words: frozenset[str]


class _ModuleCache:
    """Parsed modules by source and package; ``None`` outside of ``share_parsed_modules``."""

    modules: dict[tuple[bytes, str], ModuleCode] | None = None


@contextlib.contextmanager
def share_parsed_modules() -> Iterator[None]:
    """Parse each module only once during the block, as long as its source stays the same.

    To find out whether an earlier build can be reused, mastra reads the same modules as for a new
    build.
    """
    before, _ModuleCache.modules = _ModuleCache.modules, {}
    try:
        yield
    finally:
        _ModuleCache.modules = before


def parse_module(source: bytes, package: str) -> ModuleCode:
    """Parse the code of a module.

    If this Python cannot parse a file, the result has no names. A file that cannot be parsed may be
    a template, need a newer Python, or be nested too deeply. Only the app's own Python can decide
    whether it can import the file.

    :param source: the file's bytes.
    :param package: the package that relative imports start from.
    """
    if _ModuleCache.modules is None:
        return _parse(source, package)
    key = (source, package)
    if key not in _ModuleCache.modules:
        _ModuleCache.modules[key] = _parse(source, package)
    return _ModuleCache.modules[key]


def _parse(source: bytes, package: str) -> ModuleCode:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the app's own code are not wanted
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = ast.Module(body=[], type_ignores=[])
    nodes = tuple(ast.walk(tree))
    imports = tuple(read_imports(nodes, package))
    names, strings = _collect_names(nodes)
    dotted = {text.partition(":")[0] for text in strings if _DOTTED.fullmatch(text)}
    return ModuleCode(
        tree=tree,
        nodes=nodes,
        names=frozenset(names),
        modules=frozenset(dotted).union(
            find_needing_names(source, NEEDING_MODULES),
            *(item.modules for item in imports),
        ),
        imports=imports,
        words=frozenset(word for text in strings for word in text.split("/"))
        | {name for item in imports for name in item.names},
    )


def _collect_names(nodes: tuple[ast.AST, ...]) -> tuple[set[str], set[str]]:
    """Return the names in imports and at the start of strings, and all short strings."""
    names: set[str] = set()
    strings: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            names.update((node.module or "").split("."), (alias.name for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(".")[0].partition(":")[0])
            if len(node.value) <= _MAX_LENGTH:
                strings.add(node.value)
    return names, strings
