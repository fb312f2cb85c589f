"""Read pyproject.toml and its table ``[tool.mastra]``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from mastra_core.errors import ConfigError
from mastra_deployer.project.suggest import suggest

__all__ = (
    "BuildConfig",
    "Bytecode",
    "CheckConfig",
    "Config",
    "DevConfig",
    "EnvConfig",
    "get_project_name",
    "parse_config",
    "read_pyproject",
    "read_toml",
)


Bytecode: TypeAlias = Literal["all", "imported", "none"]
"""Which modules have bytecode: all, those that the app imports, or none."""


class EnvConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tool.mastra.env]``: names of the app's environment variables."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


class CheckConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tool.mastra.check]``.

    :param env: values that the boot check uses in place of placeholders.
    :param ignore: globs of variables, files and workflows that the check skips.
    """

    env: dict[str, str] = {}
    ignore: tuple[str, ...] = ()


class BuildConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tool.mastra.build]``.

    :param include: globs, relative to the project's root, of files to ship beside the packages.
    :param exclude: globs, relative to the project's root, of files that do not ship.
    :param keep: distributions that are never pruned.
    :param strip: whether compiled libraries ship without symbol tables and debug information.
    :param bytecode: which modules have bytecode.
    :param extras: optional dependencies of the project that ship.
    :param groups: dependency groups that ship.
    :param lock: the lock file to use in place of the project's default lock.
    :param locked: whether a build without an up-to-date lock is an error; ``--locked``.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    strip: bool = True
    bytecode: Bytecode = "imported"
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lock: str = ""
    locked: bool = False


class DevConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tool.mastra.dev]``.

    :param hosts: further host names that the app's URL may have in ``mastra dev``, as with
        ``--allow-host``.
    """

    hosts: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tool.mastra]``.

    :param entry: ``module:attribute``.
    :param python: version to build for, in place of the version of the project's Python.
    :param env: names of the app's environment variables.
    :param check: options of the checks.
    :param build: options of the build, which decide what ships.
    :param dev: options of ``mastra dev``.
    :param targets: the settings of each target, by the user's name for the target.
    """

    entry: str = ""
    python: str = ""
    env: EnvConfig = EnvConfig()
    check: CheckConfig = CheckConfig()
    build: BuildConfig = BuildConfig()
    dev: DevConfig = DevConfig()
    targets: dict[str, dict[str, Any]] = {}


# The tables that several modules read; each one comes after those that contain it.
_TABLES = (
    ("project",),
    ("dependency-groups",),
    ("tool",),
    ("tool", "uv"),
    ("tool", "uv", "workspace"),
    ("tool", "poetry"),
    ("tool", "pdm"),
)


def read_pyproject(root: Path) -> dict[str, Any]:
    """Read pyproject.toml; return an empty table if there is no such file.

    :param root: the project's directory.
    :raises ConfigError: when pyproject.toml is not TOML, or ``[tool]``, for example, is not a
        table.
    """
    file = root / "pyproject.toml"
    document = read_toml(file) if file.is_file() else {}
    for keys in _TABLES:
        value: Any = document
        for key in keys:
            value = value.get(key, {})
        if not isinstance(value, dict):
            name = ".".join(keys)
            raise ConfigError(
                f"{str(file)!r} has {name} = {value!r}, which is not a table.",
                f"Write it as a table: [{name}].",
            )
    return document


def get_project_name(pyproject: Mapping[str, Any]) -> str:
    """Return the name in ``[project]``, or an empty text.

    :param pyproject: the contents of pyproject.toml.
    """
    return str(pyproject.get("project", {}).get("name") or "")


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file.

    :param file: the path of the file.
    :raises ConfigError: when the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows add a mark
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error.strerror}.", "Check that the file exists."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{str(file)!r} is not TOML: {error}.", "Correct that line.") from None


def parse_config(pyproject: dict[str, Any]) -> Config:
    """Convert the table ``[tool.mastra]`` to a ``Config``.

    :param pyproject: the contents of pyproject.toml.
    :raises ConfigError: for an unknown key, a value of the wrong type, or an invalid variable name.
    """
    tool = pyproject.get("tool", {})
    table = tool.get("mastra", {}) if isinstance(tool, dict) else tool
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[tool.mastra] {_format_location(error)}", _suggest_fix(error)) from None
    for name in (*config.env.required, *config.env.optional, *config.check.env):
        if not name or set(name) & {"=", "\0"}:  # the system refuses such a name
            before, equals, _ = name.partition("=")  # a value behind it may be a secret
            shown = f"{before}=..." if equals else name
            raise ConfigError(
                f"[tool.mastra] {shown!r} cannot be the name of an environment variable.",
                "Write only names, with letters, digits and '_'. Values belong in .env.",
            )
    return config


def _format_location(error: msgspec.ValidationError) -> str:
    message, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    return f"{field}: {message}." if field else f"{message}."


def _suggest_type(text: str) -> str:
    """Return an example of a valid value, for the type that msgspec's message names."""
    key = text.partition(" - at `$.")[2].rstrip("`").rpartition(".")[2]
    expected = text.partition("Expected `")[2].partition("`")[0]
    example = {"array": '["..."]', "str": '"..."', "bool": "true"}.get(expected)
    if "enum value" in text and key == "bytecode":
        return f"Available: {', '.join(get_args(Bytecode))}."
    if key.isalpha() and expected == "object":
        return f'Write it as a table: {key} = {{ NAME = "..." }}.'
    if key.isalpha() and example:
        return f"Write it as {key} = {example}."
    return "See docs/configuration.md."


def _suggest_fix(error: msgspec.ValidationError) -> str:
    text = str(error)
    if "unknown field" not in text:
        return _suggest_type(text)
    key = text.split("`")[1]
    section = text.partition(" - at `$.")[2].rstrip("`")
    types = {"env": EnvConfig, "check": CheckConfig, "build": BuildConfig, "dev": DevConfig}
    return suggest(key, types.get(section, Config).__struct_fields__)
