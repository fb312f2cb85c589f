"""Read ``deployer=`` of the entry file without running the file.

The value of ``deployer=`` is a call, or a module-level name. Only one statement may assign the
name, its value must be a call, and nothing else may use the name. Arguments are literals or
references to the environment: ``os.environ["X"]``, ``os.environ.get("X")``, ``os.getenv("X")`` and
``Secret.env("X")``. References to the environment are resolved only when a deploy command needs the
values.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from pathlib import Path
from typing import Any, NoReturn

from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_deployer.project.ast_names import collect_imports, get_dotted_name

__all__ = (
    "DeployerCall",
    "EnvReference",
    "find_mastra_calls",
    "find_server_settings",
    "is_none",
    "read_deployer",
)


_SECRETS = ("mastra_core.Secret", "mastra_core.secret.Secret")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvReference:
    """A setting that refers to an environment variable.

    :param name: the variable.
    :param default: the value if the variable is not set.
    """

    name: str
    default: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployerCall:
    """The call ``deployer=XDeployer(...)`` in the source.

    :param module: the module that the class is imported from (``mastra_deployer_acme``).
    :param class_name: the class's name.
    :param settings: the settings by keyword: literal values, secrets and ``EnvReference``.
    :param keyword: the ``deployer=...`` argument.
    :param assignment: the statement that assigns the call to a name, if a name was used.
    :param line: the line of the call.
    """

    module: str
    class_name: str
    settings: dict[str, Any]
    keyword: ast.keyword
    assignment: ast.stmt | None
    line: int


def find_mastra_calls(tree: ast.Module) -> list[ast.Call]:
    """Return all calls of ``Mastra(...)`` in a module.

    :param tree: the module.
    """
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and get_dotted_name(node.func).rpartition(".")[2] == "Mastra"
    ]


def find_server_settings(tree: ast.Module) -> list[str]:
    """Return the names of the settings in ``server=`` of ``Mastra(...)``, sorted.

    :param tree: the module.
    :returns: the names. If the value of ``server=`` is neither a call nor a mapping, its source
        code is returned as a name.
    """
    words = [word for call in find_mastra_calls(tree) for word in call.keywords]
    servers = [word.value for word in words if word.arg == "server"]
    return sorted({name for server in servers for name in _list_set_names(server)})


def _list_set_names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Call):
        return [word.arg or ast.unparse(word.value) for word in node.keywords]
    if isinstance(node, ast.Dict):
        return [ast.unparse(key).strip("'\"") for key in node.keys if key is not None]
    return [] if is_none(node) else [ast.unparse(node)]


def read_deployer(path: Path, tree: ast.Module) -> DeployerCall | None:
    """Return the call in ``deployer=`` of the entry file, or ``None``.

    :param path: the entry file.
    :param tree: the syntax tree of the file.
    :raises ConfigError: with file and line, when the argument cannot be read without running the
        file.
    """
    keywords = [
        keyword
        for call in find_mastra_calls(tree)
        for keyword in call.keywords
        if keyword.arg == "deployer" and not is_none(keyword.value)
    ]
    if not keywords:
        return None
    if len(keywords) > 1:
        _raise_unreadable(path, keywords[1].value, "a second Mastra object has a deployer")
    return _Reader(path, tree).read(keywords[0])


class _Reader:
    """A reader of ``deployer=``, which resolves names within the entry file."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._tree = tree
        self._imports = collect_imports(tree.body)

    def read(self, keyword: ast.keyword) -> DeployerCall:
        value, assignment = keyword.value, None
        if isinstance(value, ast.Name):
            value, assignment = self._resolve_assignment(value)
        if not isinstance(value, ast.Call):
            _raise_unreadable(self._path, value, f"it is {_describe_node(value)}")
        module, cls = self._resolve_class(value)
        settings = {}
        for argument in value.keywords:
            if argument.arg is None:
                _raise_unreadable(self._path, argument.value, "its settings are unpacked with **")
            settings[argument.arg] = self._parse_setting(argument.value)
        if value.args:
            _raise_unreadable(self._path, value.args[0], "its settings are positional arguments")
        return DeployerCall(
            module=module,
            class_name=cls,
            settings=settings,
            keyword=keyword,
            assignment=assignment,
            line=value.lineno,
        )

    def _resolve_assignment(self, name: ast.Name) -> tuple[ast.expr, ast.stmt]:
        stores = [
            node
            for node in self._tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and name.id in _get_target_names(node)
        ]
        uses = [
            node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and node.id == name.id
        ]
        if len(stores) != 1 or len(uses) != 2 or stores[0].value is None:  # noqa: PLR2004  # one store, one use
            _raise_unreadable(
                self._path, name, f"the name {name.id!r} must be assigned once and used once"
            )
        return stores[0].value, stores[0]

    def _resolve_class(self, call: ast.Call) -> tuple[str, str]:
        name = get_dotted_name(call.func)
        head, _, rest = name.partition(".")
        origin = self._imports.get(head)
        if origin is None:
            _raise_unreadable(
                self._path, call, f"{name or 'the class'!r} is not imported at the top level"
            )
        module, _, cls = f"{origin}.{rest}".rstrip(".").rpartition(".")
        return module, cls

    def _parse_setting(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Call) and self._resolve_origin(node.func) in _SECRETS:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            return Secret(str(self._parse_literal(arguments[0] if arguments else node)))
        return self._parse_reference(node) or self._parse_literal(node)

    def _parse_reference(self, node: ast.expr) -> EnvReference | None:
        if isinstance(node, ast.Subscript) and self._resolve_origin(node.value) == "os.environ":
            return EnvReference(name=str(self._parse_literal(node.slice)))
        if not isinstance(node, ast.Call) or not node.args:
            return None
        if self._resolve_origin(node.func) in (
            "os.getenv",
            "os.environ.get",
            *(f"{name}.env" for name in _SECRETS),
        ):
            defaults = [*node.args[1:], *(item.value for item in node.keywords)]
            default = self._parse_literal(defaults[0]) if defaults else None
            return EnvReference(name=str(self._parse_literal(node.args[0])), default=default)
        return None

    def _resolve_origin(self, node: ast.expr) -> str:
        head, dot, rest = get_dotted_name(node).partition(".")
        return self._imports.get(head, head) + dot + rest

    def _parse_literal(self, node: ast.expr) -> Any:
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(node)
        # Outside of the block: since Python 3.14, the message of literal_eval contains the
        # expression, and --verbose prints the context of an error.
        return _raise_unreadable(self._path, node, f"{_describe_node(node)} is not a literal")


def _describe_node(node: ast.AST) -> str:
    """Return the kind of an expression without its content, which may be a token."""
    names = {"IfExp": "a conditional", "JoinedStr": "an f-string", "BinOp": "a computed value"}
    name = type(node).__name__
    return names.get(name, f"a {name.lower()}")


def _get_target_names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def is_none(node: ast.expr) -> bool:
    """Return whether an expression is the literal ``None``.

    :param node: the expression.
    """
    return isinstance(node, ast.Constant) and node.value is None


def _raise_unreadable(path: Path, node: ast.AST, reason: str) -> NoReturn:
    raise ConfigError(
        f"{path}:{getattr(node, 'lineno', 1)}: deployer= cannot be read without running the file: "
        f"{reason}.",
        "Write deployer=XDeployer(key=literal, token=Secret.env('NAME')). Or move the settings to "
        "[tool.mastra.targets] in pyproject.toml.",
    )
