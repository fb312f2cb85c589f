"""Find the modules of a distribution that cannot be imported without a requirement.

A large distribution has a module for each package that it can be used with, and declares these
packages as optional. If a bundle does not contain such a package, the module for it is useless.

Only imports at the top level of a module count, and only if they fail with an ``ImportError``. A
module may also check for the package, and raise another exception. Other modules may catch that
exception, so such a module ships.

The first build of an app reads all modules of all dependencies. To save time, a module is parsed
only if a line imports a requirement, and only up to the last such line at the top level.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable, Iterator

__all__ = ("RequiredImports", "format_reason", "parse_reason")

# Patterns that begin with a line break are found three times as fast as those with ^.
_STATEMENT = re.compile(rb"\n(?!except\b|else\b|finally\b)(?=[^\s#)\]}])")
_TRY = b"\ntry:"
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")
_REASON = re.compile(r"it cannot be imported without '([\w.]+)'")


class RequiredImports:
    """Finds the imports of a distribution's requirements in the distribution's modules.

    A requirement counts only if its import has the name of the distribution: ``google-genai`` is
    imported as ``google_genai`` or ``google.genai``. Names of the standard library do not count:
    ``importlib-metadata`` is a requirement only for versions of Python without
    ``importlib.metadata``.

    :param requirements: the canonical names of the requirements to find.
    """

    def __init__(self, requirements: Iterable[str]) -> None:
        names = {name.replace("-", it) for name in requirements for it in ("_", ".")}
        self._names = {it for it in names if it.partition(".")[0] not in sys.stdlib_module_names}
        listed = "|".join(map(re.escape, sorted(self._names))).encode()
        self._pattern = re.compile(rb"\n([ \t]*)(?:from|import)[ \t]+(?:" + listed + rb")\b")

    def find(self, source: bytes) -> frozenset[str]:
        """Return the names of the requirements without which a module cannot be imported.

        :param source: the source of the module.
        """
        end = max(self._iter_ends(b"\n" + source), default=0) if self._names else 0
        if not end:
            return frozenset()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about the code of a dependency
            try:
                tree = ast.parse(source[: end - 1])
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return frozenset()
        imported = {part for name in _iter_imports(tree) for part in _iter_parents(name)}
        return frozenset(self._names & imported)

    def _iter_ends(self, source: bytes) -> Iterator[int]:
        """Yield the end of each statement at the top level that imports a requirement.

        :param source: the source of the module, after a line break.
        """
        for match in self._pattern.finditer(source):
            if not match[1] or _is_in_try(source, match.start()):
                following = _STATEMENT.search(source, match.end())
                yield following.end() if following else len(source)


def format_reason(name: str) -> str:
    """Return the reason for which a module does not ship.

    :param name: the dotted name without which the module cannot be imported.
    """
    return f"it cannot be imported without {name!r}"


def parse_reason(reason: str) -> str:
    """Return the dotted name in a reason that ``format_reason`` wrote, else an empty string.

    :param reason: the reason for which a file does not ship.
    """
    found = _REASON.fullmatch(reason)
    return found[1] if found else ""


def _is_in_try(source: bytes, position: int) -> bool:
    """Return whether a line belongs to the body of a ``try`` at the top level."""
    start = source.rfind(_TRY, 0, position)
    if start < 0:
        return False
    return re.search(rb"\n[^\s#)\]}]", source[start + len(_TRY) : position]) is None


def _iter_imports(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a module imports before it may raise another exception."""
    for statement in tree.body:
        if _may_raise_other(statement):
            return
        if not isinstance(statement, ast.Try):
            yield from _iter_imported(statement)
        elif all(isinstance(handler.body[-1], ast.Raise) for handler in statement.handlers):
            for inner in statement.body:
                yield from _iter_imported(inner)


def _may_raise_other(statement: ast.stmt) -> bool:
    """Return whether a statement may raise another exception than ``ImportError``.

    These are blocks with a ``raise`` statement, and calls such as ``require_package("redis")``.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    raised = (node.exc for node in ast.walk(statement) if isinstance(node, ast.Raise) and node.exc)
    classes = (it.func if isinstance(it, ast.Call) else it for it in raised)
    return any(not isinstance(it, ast.Name) or it.id not in _IMPORT_ERRORS for it in classes)


def _iter_imported(statement: ast.stmt) -> Iterator[str]:
    if getattr(statement, "is_lazy", False):  # as of Python 3.15: it fails at the first use
        return
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        yield statement.module or ""


def _iter_parents(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]
