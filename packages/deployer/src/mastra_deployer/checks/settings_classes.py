"""Find the fields of pydantic-settings classes, and the variables of these fields."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mastra_deployer.checks.variable_reads import VariableRead
from mastra_deployer.project.ast_names import NameResolver, ParsedModule, get_dotted_name

__all__ = ("find_settings_reads",)

_BASES = ("pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings")
# Options that have no effect on which variable a field reads.
_HARMLESS = {
    "arbitrary_types_allowed",
    "case_sensitive",
    "env_file",
    "env_file_encoding",
    "env_ignore_empty",
    "extra",
    "frozen",
    "populate_by_name",
    "str_strip_whitespace",
    "validate_assignment",
    "validate_default",
}


def find_settings_reads(code: ParsedModule, names: NameResolver) -> Iterator[VariableRead]:
    """Yield the fields of each class that gets all its values from the environment.

    The function skips a class whose prefix is computed, a class with other sources, and a class
    that is called with arguments: their variables are known only at run time.

    :param code: the module.
    :param names: resolves the names in the module.
    """
    constructed = {
        get_dotted_name(node.func)
        for node in code.nodes
        if isinstance(node, ast.Call) and (node.keywords or node.args)
    }
    for node in code.nodes:
        if not isinstance(node, ast.ClassDef) or node.name in constructed:
            continue
        prefix = _get_prefix(node, names) if _is_settings(node, names) else None
        if prefix is not None:
            yield from _iter_fields(node, names, prefix)


def _is_settings(node: ast.ClassDef, names: NameResolver) -> bool:
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return "settings_customise_sources" not in methods and any(
        names.resolve_origin(base) in _BASES for base in node.bases
    )


def _get_prefix(node: ast.ClassDef, names: NameResolver) -> str | None:
    """Return ``env_prefix``: empty if there is none, and ``None`` if it is computed."""
    options: dict[str, ast.expr] = {}
    for name, value in _iter_configuration(node):
        if name is None or value is None:
            return None
        options[name] = value
    prefix = options.pop("env_prefix", ast.Constant(""))
    return names.resolve_string(prefix) if options.keys() <= _HARMLESS else None


def _iter_configuration(node: ast.ClassDef) -> Iterator[tuple[str | None, ast.expr | None]]:
    yield from ((item.arg, item.value) for item in node.keywords)
    for item in node.body:
        if isinstance(item, ast.ClassDef) and item.name == "Config":
            for line in item.body:
                if isinstance(line, ast.Assign):
                    yield get_dotted_name(line.targets[0]), line.value
        elif isinstance(item, ast.Assign) and get_dotted_name(item.targets[0]) == "model_config":
            called = isinstance(item.value, ast.Call) and not item.value.args
            keywords = item.value.keywords if isinstance(item.value, ast.Call) else []
            yield from ((it.arg, it.value) for it in keywords)
            if not called:
                yield None, None


def _iter_fields(node: ast.ClassDef, names: NameResolver, prefix: str) -> Iterator[VariableRead]:
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        field = item.target.id
        if field.startswith("_") or get_dotted_name(_strip_subscript(item.annotation)).endswith(
            "ClassVar"
        ):
            continue
        options = _get_options(item.value)
        if not {"alias", "validation_alias"} & options.keys():
            variables = [prefix + field]
        else:
            alias = options.get("validation_alias", options.get("alias"))
            variables = names.resolve_strings(alias) if alias else []
        default = item.value is not None and (
            not _is_field(item.value) or bool({"default", "default_factory"} & options.keys())
        )
        for name in variables:
            yield VariableRead(name=name.upper(), line=item.lineno, default=default)


def _get_options(value: ast.expr | None) -> dict[str, ast.expr]:
    if not isinstance(value, ast.Call) or not _is_field(value):
        return {}
    named = {item.arg: item.value for item in value.keywords if item.arg}
    first = value.args[0] if value.args else None
    required = isinstance(first, ast.Constant) and first.value is Ellipsis
    return {**({"default": first} if first and not required else {}), **named}


def _is_field(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and get_dotted_name(value.func).rpartition(".")[2] == "Field"


def _strip_subscript(annotation: ast.expr) -> ast.expr:
    return annotation.value if isinstance(annotation, ast.Subscript) else annotation
