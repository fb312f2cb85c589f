"""Find the files and directories that a module names, without running the module."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from mastra_deployer.bundler.sources.module_code import ModuleCode
from mastra_deployer.project.ast_names import get_dotted_name

__all__ = ("PathReference", "find_path_references")

_MAX_DEPTH = 20
_SAME = frozenset(("Path", "PurePath", "abspath", "realpath", "str", "fspath", "normpath"))
_SAME_METHODS = frozenset(("resolve", "absolute", "as_posix", "expanduser"))
_JOINS = frozenset(("join", "joinpath"))
_OPENING = frozenset(
    (
        *("open", "FileSystemLoader", "StaticFiles", "Jinja2Templates", "add_files"),
        *("Config", "fileConfig", "load_schema_from_path", "serve_files", "truetype"),
        *("read_csv", "read_excel", "read_parquet", "scan_csv", "scan_parquet"),
    )
)
# A keyword names a path if its last word is one of these: static_path, plugins_dir, directory.
_KEYWORD = re.compile(
    r"(?:\w+_)?(?:directory|directories|dirs?|folders?|root|files?)|\w+_paths?|localedir|searchpath"
)
# Words of keywords whose path is written, is part of a URL, or must not ship.
_OTHER_WORDS = frozenset(
    (
        *("cache", "download", "downloads", "log", "logs", "out", "output", "save", "storage"),
        *("temp", "tmp", "upload", "uploads", "work", "working"),
        *("api", "base", "url", "import", "module", "secret", "secrets"),
    )
)
# These keywords of Flask, Quart, Dash and Connexion are relative to the module, not to the working
# directory.
_MODULE_KEYWORDS = frozenset(
    ("assets_folder", "specification_dir", "static_folder", "template_folder")
)
_WRITING_NAME = re.compile(r"(?:to|save|write|dump|export)(?:_.*|fig|z|txt)?")
_COMPARISONS = frozenset(("endswith", "removeprefix", "removesuffix", "startswith"))
_FILE_NAME = re.compile(r"[\w-][\w.-]*\.[A-Za-z]\w*")
# Settings of Django and their counterparts elsewhere.
_SETTINGS = frozenset(
    ("DIRS", "STATICFILES_DIRS", "STATIC_ROOT", "LOCALE_PATHS", "FIXTURE_DIRS", "TEMPLATE_DIRS")
)
_WRITING = frozenset(("write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir"))
# Their applications have these directories beside the module that creates them.
_WITH_DEFAULTS = frozenset(("Flask", "Quart"))
_DEFAULTS = ("templates", "static")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PathReference:
    """A path that code names.

    :param path: the path as the code writes it. The directory of a relative path is unknown.
    :param line: the number of the line in the source file.
    :param relative: whether the path depends on the working directory.
    """

    path: Path
    line: int
    relative: bool


@dataclasses.dataclass(frozen=True)
class _Location:
    """The path that an expression stands for.

    :param base: what the path is relative to: nothing, the working directory, or a directory that
        is known only at run time.
    :param is_complete: whether the code contains the whole path, to its end.
    """

    path: Path
    base: Literal["", "cwd", "unknown"] = ""
    is_complete: bool = True

    def join(self, text: str | None) -> _Location:
        if not self.is_complete:
            return self
        if text is None:
            return dataclasses.replace(self, is_complete=False)
        return dataclasses.replace(self, path=self.path / text.lstrip("/"))


def find_path_references(code: ModuleCode, file: Path) -> Iterator[PathReference]:
    """Yield each path that a module builds, or passes to a function that reads files.

    If a part of a path is known only at run time, the path ends at the directory before this part.
    Paths that the module writes to are left out.

    :param code: the module.
    :param file: the path of the module.
    """
    reader = _PathReader(code, file)
    skipped = reader.find_written() | reader.find_parts()
    for node in code.nodes:
        if id(node) in skipped or not isinstance(node, ast.expr | ast.stmt):
            continue
        for location in reader.iter_locations(node):
            if str(location.path) not in ("", ".", str(file)):
                yield PathReference(
                    path=location.path, line=node.lineno, relative=location.base == "cwd"
                )


class _PathReader:
    """Evaluates those expressions of one module that are paths."""

    def __init__(self, code: ModuleCode, file: Path) -> None:
        self._code, self._file = code, file
        self._values: dict[str, ast.expr | None] = {}
        for name, value in _iter_assignments(code.tree):
            self._values[name] = None if name in self._values else value
        self._evaluators: dict[type, Callable[[Any, int], _Location | None]] = {
            ast.Name: self._evaluate_name,
            ast.Attribute: self._evaluate_attribute,
            ast.Subscript: self._evaluate_parents,
            ast.BinOp: self._evaluate_operation,
            ast.JoinedStr: self._evaluate_joined,
            ast.Call: self._evaluate_call,
        }

    def find_written(self) -> set[int]:
        """Return the ``id()`` of each expression whose file the module writes."""
        written: set[int] = set()
        for node in self._code.nodes:
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Attribute) and node.func.attr in _WRITING:
                target = node.func.value
                written.add(id(target))
                if isinstance(target, ast.Name):
                    written.add(id(self._values.get(target.id)))
            elif _is_writing_open(node):
                written.add(id(node))
        return written

    def find_parts(self) -> set[int]:
        """Return the ``id()`` of each expression that is only a part of a path."""
        parts: set[int] = set()
        for node in self._code.nodes:
            if isinstance(node, ast.BinOp):
                parts |= {id(node.left), id(node.right)}
            elif isinstance(node, ast.JoinedStr):
                parts |= {id(value) for value in node.values}
            elif isinstance(node, ast.Call) and _get_name(node) in _SAME | _JOINS | _OPENING:
                parts |= {id(argument) for argument in node.args}
                if _get_name(node) == "joinpath" and isinstance(node.func, ast.Attribute):
                    parts.add(id(node.func.value))
        return parts

    def iter_locations(self, node: ast.AST) -> Iterator[_Location]:
        """Yield the paths that a node names itself, but not the paths that its child nodes name."""
        found: list[ast.expr] = []
        if isinstance(node, ast.BinOp | ast.JoinedStr):
            found = [node]
        elif isinstance(node, ast.Call):
            found = list(_get_arguments(node))
            yield from self._iter_module_directories(node)
            yield from _iter_file_names(node)
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in _SETTINGS for target in node.targets
        ):
            found = [node.value]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found = [value for key, value in pairs if _get_text(key) in _SETTINGS]
        elif isinstance(node, ast.Constant) and _is_path(node.value):
            # The function that opens it is unknown.
            yield _Location(Path(str(node.value)), "unknown")
        for item in found:
            items = item.elts if isinstance(item, ast.List | ast.Tuple) else [item]
            yield from filter(None, (self._evaluate(it) for it in items))

    def _iter_module_directories(self, node: ast.Call) -> Iterator[_Location]:
        """Yield the directories that a framework looks up beside the module."""
        if _get_name(node) in _WITH_DEFAULTS:
            yield from (_Location(self._file.parent / default) for default in _DEFAULTS)
        for item in node.keywords:
            if item.arg not in _MODULE_KEYWORDS:
                continue
            if text := _get_text(item.value):
                yield _Location(self._file.parent / text)
            elif location := self._evaluate(item.value):
                yield dataclasses.replace(location, base=location.base and "unknown")

    def _evaluate(self, node: ast.expr, depth: int = 0) -> _Location | None:
        """Return the path that an expression stands for; ``None`` if it is not a path."""
        if (text := _get_text(node)) is not None:
            return _Location(Path(text), "" if text.startswith("/") else "cwd")
        evaluate = self._evaluators.get(type(node))
        return evaluate(node, depth) if evaluate and depth <= _MAX_DEPTH else None

    def _evaluate_name(self, node: ast.Name, depth: int) -> _Location | None:
        if node.id == "__file__":
            return _Location(self._file)
        value = self._values.get(node.id)
        return self._evaluate(value, depth + 1) if value else _Location(Path(), "unknown")

    def _evaluate_attribute(self, node: ast.Attribute, depth: int) -> _Location | None:
        if node.attr == "parent":
            return self._ascend(node.value, 1, depth)
        return _Location(Path(), "unknown")

    def _ascend(self, node: ast.expr, levels: int, depth: int) -> _Location | None:
        location = self._evaluate(node, depth + 1)
        if location is None or location.base == "cwd" or not location.is_complete:
            return None
        if location.base:
            return _Location(Path(), "unknown")
        parents = [location.path, *location.path.parents]
        return _Location(parents[levels]) if levels < len(parents) else None

    def _evaluate_parents(self, node: ast.Subscript, depth: int) -> _Location | None:
        value, index = node.value, node.slice
        if (
            isinstance(value, ast.Attribute)
            and value.attr == "parents"
            and isinstance(index, ast.Constant)
            and isinstance(index.value, int)
        ):
            return self._ascend(value.value, index.value + 1, depth)
        return None

    def _evaluate_operation(self, node: ast.BinOp, depth: int) -> _Location | None:
        left = self._evaluate(node.left, depth + 1)
        if left is None:
            return None
        text = _get_text(node.right)
        if isinstance(node.op, ast.Div):
            return left.join(text)
        if isinstance(node.op, ast.Add) and text is not None and text.startswith("/"):
            return left.join(text)
        return None

    def _evaluate_joined(self, node: ast.JoinedStr, depth: int) -> _Location | None:
        """Evaluate ``f"{BASE}/prompts/{name}.md"`` up to the last known directory."""
        first, *rest = node.values
        if not isinstance(first, ast.FormattedValue):
            head, _, _ = (_get_text(first) or "").rpartition("/")
            return _Location(Path(head), "" if head.startswith("/") else "cwd", is_complete=False)
        location = self._evaluate(first.value, depth + 1)
        text = _get_text(rest[0]) if rest else None
        if location is None or text is None or not text.startswith("/"):
            return None
        return location.join(text if len(rest) == 1 else text.rpartition("/")[0])

    def _evaluate_call(self, node: ast.Call, depth: int) -> _Location | None:
        name, arguments = _get_name(node), list(node.args)
        if name in _SAME_METHODS and isinstance(node.func, ast.Attribute) and not arguments:
            return self._evaluate(node.func.value, depth + 1)
        if name in ("cwd", "getcwd") or (name in _SAME and not arguments):
            return _Location(Path(), "cwd")
        if name == "dirname" and arguments:
            return self._ascend(arguments[0], 1, depth)
        if name == "joinpath" and isinstance(node.func, ast.Attribute):
            arguments = [node.func.value, *arguments]
        elif name not in _SAME and not get_dotted_name(node.func).endswith("path.join"):
            return None
        location = self._evaluate(arguments[0], depth + 1) if arguments else None
        for argument in arguments[1:]:
            location = location.join(_get_text(argument)) if location else None
        return location


def _iter_assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _get_arguments(node: ast.Call) -> Iterable[ast.expr]:
    """Return the call itself if it builds a path, and all of its arguments that are paths."""
    name = _get_name(node)
    if name in _SAME | _JOINS:
        yield node
    if name in _OPENING and node.args:
        yield node.args[0]
    yield from (item.value for item in node.keywords if _is_path_keyword(item.arg or ""))


def _is_path_keyword(name: str) -> bool:
    """Return whether a keyword of a call is the path of a file or directory that is read."""
    words = name.split("_")
    is_path = _KEYWORD.fullmatch(name) and _OTHER_WORDS.isdisjoint(words)
    return bool(is_path) and name not in {*_MODULE_KEYWORDS, "root_path"}


def _iter_file_names(node: ast.Call) -> Iterator[_Location]:
    """Yield the arguments that look like the name of a file, such as ``schema.graphql``.

    The called function may look the file up in any directory.
    """
    name = _get_name(node)
    if name in _SAME | _JOINS | _OPENING | _COMPARISONS or _WRITING_NAME.fullmatch(name):
        return
    keywords = (item for item in node.keywords if not _is_path_keyword(item.arg or ""))
    arguments = [*node.args, *(item.value for item in keywords)]
    for item in arguments:
        for each in item.elts if isinstance(item, ast.List | ast.Tuple) else [item]:
            if (text := _get_text(each)) and _FILE_NAME.fullmatch(text):
                yield _Location(Path(text), "unknown")


def _get_name(node: ast.Call) -> str:
    """Return the last part of a called name, such as ``open`` for ``io.open()``."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_writing_open(node: ast.Call) -> bool:
    if _get_name(node) != "open":
        return False
    modes = [*node.args[1:2], *(item.value for item in node.keywords if item.arg == "mode")]
    return any(set(_get_text(mode) or "") & set("wax") for mode in modes)


def _get_text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_path(value: object) -> bool:
    """Return whether a string looks like a relative path with a directory."""
    return (
        isinstance(value, str)
        and "/" in value.strip("/")
        and not any(it.isspace() for it in value)
        and "//" not in value
    )
