"""Takes ``deployer=`` out of the bundled copy of the entry file.

Deployers are tools: they, and any token in their settings, have no business in a bundle. The
argument is blanked, the statement and the imports that only it used become ``pass``; every
other character keeps its line and column, so tracebacks still read right.
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

__all__ = ("blank_deployer", "refuse_deployers")

Position = tuple[int, int]


def blank_deployer(source: bytes, tree: ast.Module, deployer: DeployerCall) -> bytes:
    """``source`` without the deployer and what only it used."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    # Only what Python itself takes for the end of a line: a form feed is none.
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", source.decode(encoding))
    removed: list[ast.AST] = [deployer.keyword]
    _blank(lines, *_argument(lines, deployer.keyword), "")
    if deployer.assignment is not None:
        removed.append(deployer.assignment)
        _blank(lines, *_span(lines, deployer.assignment), "pass")
    orphans = _used_only_by(tree, removed)
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) and _bound(statement) <= orphans:
            _blank(lines, *_span(lines, statement), "pass")
    blanked = "".join(lines).encode(encoding)
    _verify(blanked, orphans, deployer)
    return blanked


def _verify(blanked: bytes, orphans: set[str], deployer: DeployerCall) -> None:
    """A token must never ship because a position was miscounted: read the result again."""
    try:
        left = list(ast.walk(ast.parse(blanked)))
    except SyntaxError:
        left = [deployer.keyword]
    if any(
        (isinstance(node, ast.keyword) and node.arg == "deployer" and not is_none(node.value))
        or (isinstance(node, ast.Name) and node.id in orphans)
        for node in left
    ):
        raise BuildError(
            f"deployer= in line {deployer.line} of the entry file cannot be taken out.",
            "Write it on lines of its own, or move the settings to [tool.mastra.targets].",
        )


def refuse_deployers(path: Path, tree: ast.AST, packages: Collection[str]) -> None:
    """Check that no import of a deployer package is left.

    :raises BuildError: with file and line of the first one.
    """
    for node in ast.walk(tree):
        for name in _imported(node):
            if name.partition(".")[0] in packages:
                raise BuildError(
                    f"{path}:{getattr(node, 'lineno', 1)}: {name!r} is a deployer, and deployers "
                    "do not ship.",
                    "Use it in deployer= of the entry file only, or keep the file out with "
                    "[tool.mastra.build] exclude.",
                )


def _imported(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def _used_only_by(tree: ast.Module, removed: list[ast.AST]) -> set[str]:
    """Names that are used in what is removed, and nowhere else."""
    gone = {_place(node) for root in removed for node in ast.walk(root) if _is_name(node)}
    lost: set[str] = set()
    kept: set[str] = _exported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (lost if _place(node) in gone else kept).add(node.id)
    return lost - kept


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _place(node: Any) -> Position:
    return node.lineno, node.col_offset


def _bound(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {alias.asname or alias.name.partition(".")[0] for alias in node.names}


def _exported(tree: ast.Module) -> set[str]:
    """The strings of ``__all__``: a name in it is used by others."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return {
                str(item.value) for item in ast.walk(node.value) if isinstance(item, ast.Constant)
            }
    return set()


def _span(lines: list[str], node: ast.stmt) -> tuple[Position, Position]:
    start = (node.lineno, _column(lines, node.lineno, node.col_offset))
    last = node.end_lineno or node.lineno
    return start, (last, _column(lines, last, node.end_col_offset or 0))


def _argument(lines: list[str], keyword: ast.keyword) -> tuple[Position, Position]:
    """From the argument's name to the comma after it, or to the closing parenthesis.

    The syntax tree leaves out parentheses around a value, so tokens are counted instead.
    """
    start = (keyword.lineno, _column(lines, keyword.lineno, keyword.col_offset))
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


def _column(lines: list[str], line: int, offset: int) -> int:
    """Ast counts UTF-8 bytes, tokenize and str count characters."""
    return len(lines[line - 1].encode()[:offset].decode())


def _blank(lines: list[str], start: Position, end: Position, instead: str) -> None:
    for number in range(start[0], end[0] + 1):
        line = lines[number - 1]
        body = line.rstrip("\r\n")
        left = start[1] if number == start[0] else 0
        right = end[1] if number == end[0] else len(body)
        filler = (instead if number == start[0] else "").ljust(right - left)
        lines[number - 1] = body[:left] + filler + body[right:] + line[len(body) :]
