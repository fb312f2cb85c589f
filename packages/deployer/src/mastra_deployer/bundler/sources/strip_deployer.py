"""Remove ``deployer=`` from the bundled copy of the entry file.

A deployer is a tool, and its settings may contain a token, so a bundle must contain neither. The
argument is replaced with blanks. If the deployer is assigned to a name, the assignment becomes
``pass``. Imports that only the deployer used also become ``pass``. The rest of the file keeps its
line and column numbers, so tracebacks stay correct.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError
from mastra_deployer.project.deployer_argument import DeployerCall, is_none

__all__ = ("check_deployer_imports", "strip_deployer")

Position = tuple[int, int]


def strip_deployer(source: bytes, tree: ast.Module, deployer: DeployerCall) -> bytes:
    """Return ``source`` without the deployer, and without imports that only the deployer used.

    :param source: the entry file's content.
    :param tree: the syntax tree of the file.
    :param deployer: the argument to remove.
    :raises BuildError: when the deployer cannot be removed from the code.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    # Split where Python ends a line; str.splitlines would also split at a form feed.
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", source.decode(encoding))
    removed: list[ast.AST] = [deployer.keyword]
    _blank_span(lines, *_find_argument_span(lines, deployer.keyword), "")
    if deployer.assignment is not None:
        removed.append(deployer.assignment)
        _blank_span(lines, *_get_statement_span(lines, deployer.assignment), "pass")
    orphans = _find_orphans(tree, removed)
    for statement in tree.body:
        if (
            isinstance(statement, ast.Import | ast.ImportFrom)
            and _get_bound_names(statement) <= orphans
        ):
            _blank_span(lines, *_get_statement_span(lines, statement), "pass")
    stripped = "".join(lines).encode(encoding)
    _verify_removed(stripped, orphans, deployer)
    return stripped


def _verify_removed(source: bytes, orphans: set[str], deployer: DeployerCall) -> None:
    """Check that ``deployer=`` is removed, because its value may contain a token."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        nodes = [deployer.keyword]
    if any(
        (isinstance(node, ast.keyword) and node.arg == "deployer" and not is_none(node.value))
        or (isinstance(node, ast.Name) and node.id in orphans)
        for node in nodes
    ):
        raise BuildError(
            f"deployer= in line {deployer.line} of the entry file cannot be removed.",
            "Write deployer= on its own lines, or move the settings to [tool.mastra.targets].",
        )


def check_deployer_imports(path: Path, tree: ast.AST, packages: Collection[str]) -> None:
    """Check that a file imports no deployer package.

    :param path: the file, which errors name.
    :param tree: the syntax tree of the file.
    :param packages: import names of deployer packages.
    :raises BuildError: when the file imports a deployer package; the message names file and line.
    """
    for node in ast.walk(tree):
        for name in _get_imported_modules(node):
            if name.partition(".")[0] in packages:
                raise BuildError(
                    f"{path}:{getattr(node, 'lineno', 1)}: {name!r} is a deployer, and a bundle "
                    "must not contain deployers.",
                    "Use the deployer only in deployer= of the entry file, or exclude the file "
                    "with [tool.mastra.build] exclude.",
                )


def _get_imported_modules(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def _find_orphans(tree: ast.Module, roots: list[ast.AST]) -> set[str]:
    """Return the names that are used only in ``roots``."""
    positions = {_get_position(node) for root in roots for node in ast.walk(root) if _is_name(node)}
    candidates: set[str] = set()
    used: set[str] = _get_exported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (candidates if _get_position(node) in positions else used).add(node.id)
    return candidates - used


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _get_position(node: Any) -> Position:
    return node.lineno, node.col_offset


def _get_bound_names(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {alias.asname or alias.name.partition(".")[0] for alias in node.names}


def _get_exported_names(tree: ast.Module) -> set[str]:
    """Return the strings of ``__all__``, because other modules use these names."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return {
                str(item.value) for item in ast.walk(node.value) if isinstance(item, ast.Constant)
            }
    return set()


def _get_statement_span(lines: list[str], node: ast.stmt) -> tuple[Position, Position]:
    start = (node.lineno, _to_character_column(lines, node.lineno, node.col_offset))
    last = node.end_lineno or node.lineno
    return start, (last, _to_character_column(lines, last, node.end_col_offset or 0))


def _find_argument_span(lines: list[str], keyword: ast.keyword) -> tuple[Position, Position]:
    """Return the span from an argument's name to the next comma or closing parenthesis.

    The syntax tree has no parentheses around a value, so tokens are counted.
    """
    start = (keyword.lineno, _to_character_column(lines, keyword.lineno, keyword.col_offset))
    depth = 0
    for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
        if token.start < start or token.type != tokenize.OP:
            continue
        if token.string in ")]}" and depth == 0:
            return start, token.start
        if token.string == "," and depth == 0:
            return start, token.end
        depth += (token.string in "([{") - (token.string in ")]}")
    return start, start


def _to_character_column(lines: list[str], line: int, offset: int) -> int:
    """Convert a column in UTF-8 bytes, as in ``ast``, to a column in characters."""
    return len(lines[line - 1].encode()[:offset].decode())


def _blank_span(lines: list[str], start: Position, end: Position, replacement: str) -> None:
    for number in range(start[0], end[0] + 1):
        line = lines[number - 1]
        body = line.rstrip("\r\n")
        start_column = start[1] if number == start[0] else 0
        end_column = end[1] if number == end[0] else len(body)
        filler = (replacement if number == start[0] else "").ljust(end_column - start_column)
        lines[number - 1] = body[:start_column] + filler + body[end_column:] + line[len(body) :]
