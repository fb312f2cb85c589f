"""Merge a deployer's settings from all their sources.

Each setting gets its value from the first source that has one: ``-s key=value``, an environment
variable of the platform, ``[tool.mastra.targets.NAME]``, or ``deployer=`` in the entry file. The
field's metadata names the variable, ``field(metadata={"env": "ACME_APP"})``, or several variables,
``{"env": ("ACME_REGION", "ACME_DEFAULT_REGION")}``. Of several variables, the first with a value is
used.

A default may depend on other settings, ``{"default": "https://{region}.acme.example"}``, or be the
project's name, ``{"default": "{project}"}``.
"""

from __future__ import annotations

import dataclasses
import re
import string
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from mastra_core.errors import AuthError, ConfigError, MastraError, PluginError
from mastra_core.secret import Secret
from mastra_deployer.project.deployer_argument import EnvReference
from mastra_deployer.project.suggest import suggest

__all__ = (
    "Credentials",
    "collect_credentials",
    "find_plaintext_secrets",
    "get_variables",
    "list_project_values",
    "merge_settings",
    "remove_secrets",
)

_PROJECT = "{project}"  # a default: the project's name, in the characters of a host name


def merge_settings(
    settings_class: type,
    *,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    table: Mapping[str, Any],
    entry: Mapping[str, Any],
    resolve: bool = True,
    project_name: str = "",
) -> Any:
    """Create an instance of a deployer's settings class.

    :param settings_class: the dataclass.
    :param flags: values of ``-s key=value``.
    :param environ: every known environment variable; only variables that a field names are used.
    :param table: ``[tool.mastra.targets.NAME]``.
    :param entry: the arguments of ``deployer=`` in the entry file.
    :param resolve: whether to replace references such as ``Secret.env("X")`` with the values of the
        variables. If not, such settings are ``None``, because a bundle is made without
        credentials.
    :param project_name: the ``name`` in pyproject.toml, for settings that default to it.
    :raises ConfigError: for an unknown or missing key, or a value of the wrong type.
    """
    sources = _select_sources(settings_class, flags, environ, table, entry)
    hints = get_type_hints(settings_class)
    values = {
        name: None
        if isinstance(value, EnvReference) and not resolve
        else _convert(value, hints[name], where, environ)
        for name, (where, value) in sources.items()
    }
    settings = _create_settings(settings_class, values, resolve=resolve)
    return _set_derived_defaults(settings, values, project_name)


def _select_sources(
    settings_class: type,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    table: Mapping[str, Any],
    entry: Mapping[str, Any],
) -> dict[str, tuple[str, Any]]:
    """Return for each setting the name of its source, for error messages, and the value."""
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    sources: dict[str, tuple[str, Any]] = {}
    for where, layer in (("deployer=", entry), ("pyproject.toml", table), ("-s", flags)):
        for key, value in layer.items():
            if key not in fields:
                message = f"{settings_class.__name__} has no setting {key!r} ({where})."
                hint = suggest(key, fields) if fields else "Remove it. The target has no settings."
                raise ConfigError(message, hint)
            sources[key] = (f"{key} ({where})", value)
    for name, field in fields.items():
        if name not in flags and (variable := _find_variable(field, environ)):
            sources[name] = (variable, environ[variable].strip())
    return sources


def _set_derived_defaults(settings: Any, values: Mapping[str, Any], project_name: str) -> Any:
    """Return the settings with the defaults that depend on other settings or on the project."""
    fields = dataclasses.fields(settings)
    derived = {
        field.name: text
        for field in fields
        if values.get(field.name) in (None, "")
        and (text := _derive_default(field, settings, project_name))
    }
    settings = dataclasses.replace(settings, **derived) if derived else settings
    named = [field.name for field in fields if field.metadata.get("default") == _PROJECT]
    _require_settings(type(settings), [name for name in named if not getattr(settings, name)])
    return settings


class Credentials(dict[str, Secret]):
    """A target's credentials by name.

    :raises AuthError: when ``credentials[name]`` is read, and that credential has no value.
    """

    def __missing__(self, name: str) -> Secret:
        raise AuthError(f"{name} is not set.", "Set it in the environment or in .env.")


def collect_credentials(
    names: tuple[str, ...], settings: Any, environ: Mapping[str, str]
) -> Credentials:
    """Collect a target's credentials from its settings and from the environment.

    Names without a value are left out. The deployer decides which credentials it needs.

    :param names: the target's credentials.
    :param settings: the merged settings; a secret in the settings overrides the environment.
    :param environ: every known environment variable.
    """
    credentials = Credentials(
        {name: Secret(environ[name]) for name in names if environ.get(name, "").strip()}
    )
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret):
            credentials.update({name: value for name in get_variables(field) if name in names})
    return credentials


def find_plaintext_secrets(settings_class: type, arguments: Mapping[str, Any]) -> list[str]:
    """Return the names of secret settings whose value is in the entry file.

    :param settings_class: the settings class.
    :param arguments: the arguments of ``deployer=`` in the entry file.
    """
    hints = get_type_hints(settings_class)
    return [
        key
        for key, value in arguments.items()
        if value is not None and not isinstance(value, EnvReference) and _is_secret(hints.get(key))
    ]


def list_project_values(
    settings: Any, *, flags: Mapping[str, str], user_environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings that come from the project's files, as text values by name.

    The result has all settings that differ from their default, except settings from a flag or from
    a variable in the real environment.

    :param settings: the merged settings.
    :param flags: values of ``-s key=value``.
    :param user_environ: variables that the user set, without those of the project's files.
    """
    values = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        is_default = _has_default(field) and value == _get_default(field)
        is_default = is_default or value == (_derive_default(field, settings) or None)
        if field.name not in flags and not _find_variable(field, user_environ):
            text = "" if is_default else " ".join(_iter_texts(value))
            values.update({field.name: text} if text else {})
    return values


def _iter_texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value, including texts in lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _iter_texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _iter_texts(item)


def _get_default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def remove_secrets(settings: Any) -> Any:
    """Return the settings with ``None`` for all secrets, for hooks that make a bundle.

    :param settings: the merged settings.
    """
    replacements = {
        field.name: None
        for field in dataclasses.fields(settings)
        if isinstance(getattr(settings, field.name), Secret)
    }
    return dataclasses.replace(settings, **replacements) if replacements else settings


def get_variables(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """Return the platform's variables for a setting, the preferred variable first.

    :param field: the field of the settings class.
    """
    names = field.metadata.get("env", ())
    return (names,) if isinstance(names, str) else tuple(names)


def _find_variable(field: dataclasses.Field[Any], environ: Mapping[str, str]) -> str:
    """Return the first of a setting's variables that has a value, or an empty text."""
    return next((name for name in get_variables(field) if environ.get(name, "").strip()), "")


def _derive_default(field: dataclasses.Field[Any], settings: Any, project_name: str = "") -> str:
    """Return a default that depends on the project's name or on other settings, if any."""
    template = field.metadata.get("default", "")
    if template == _PROJECT:
        name = re.sub(r"[^a-z0-9._-]+", "-", project_name.lower())
        return re.sub(r"-{2,}", "-", name).strip("-.")
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    values = {name: getattr(settings, name) for name in names}
    ready = template and all(value not in ("", None) for value in values.values())
    return template.format(**values) if ready else ""


def _convert(value: Any, hint: Any, where: str, environ: Mapping[str, str]) -> Any:
    if isinstance(value, EnvReference):
        value = environ.get(value.name) or value.default
    if value is None or isinstance(value, Secret):
        return value
    if _is_secret(hint):
        return Secret(str(value))
    try:
        if isinstance(value, str) and _is_json(hint):
            return msgspec.json.decode(value, type=hint)
        return msgspec.convert(value, hint, strict=not isinstance(value, str))
    except msgspec.DecodeError as error:
        # The value is not shown, since it may be a token.
        reason = error if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise ConfigError(
            f"The setting {where} has a wrong value: {reason}.",
            "Correct the value. Write lists and mappings as JSON.",
        ) from None


def _is_json(hint: Any) -> bool:
    """Return whether texts for a field of this type are JSON: lists, mappings and dataclasses."""
    origin = get_origin(hint) or hint
    if origin in (Union, types.UnionType):
        return str not in get_args(hint) and any(map(_is_json, get_args(hint)))
    return dataclasses.is_dataclass(origin) or (
        isinstance(origin, type)
        and issubclass(origin, Collection)
        and not issubclass(origin, str | bytes)
    )


def _is_secret(hint: Any) -> bool:
    return hint is Secret or hint == (Secret | None)


def _require_settings(cls: type, missing: Sequence[str]) -> None:
    if missing:
        raise ConfigError(
            f"{cls.__name__} needs {', '.join(missing)}.",
            f"Pass -s {missing[0]}=..., or set it in [tool.mastra.targets] of pyproject.toml.",
        )


def _create_settings(cls: type, values: dict[str, Any], *, resolve: bool) -> Any:
    """Create the settings; without ``resolve``, a required setting may be ``None``."""
    required = [field.name for field in dataclasses.fields(cls) if not _has_default(field)]
    unresolved = set() if resolve else {name for name in required if name in values}
    arguments = {
        name: item for name, item in values.items() if item is not None or name in unresolved
    }
    _require_settings(cls, [name for name in required if _is_blank(arguments, name)])
    try:
        return cls(**arguments)
    except MastraError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{cls.__name__} cannot be created: {type(error).__name__}: {error}.",
            "Report this to the deployer's author. With -v, the command shows the traceback.",
        ) from error


def _is_blank(arguments: Mapping[str, Any], name: str) -> bool:
    """Return whether a setting has no value; an empty text (``-s app=$APP``) counts as none."""
    value = arguments.get(name, "")
    text = value.reveal() if isinstance(value, Secret) else value
    return isinstance(text, str) and not text.strip()


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing
