"""Check that the entry of a project is one application that can be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.project.discovery import find_module_file

__all__ = ("build_entry_error", "check_entry")

_APP_KINDS = ("mastra", "asgi", "wsgi")  # what can be served; WSGI through an adapter
_OWN_SERVERS = ("aiohttp", "tornado")  # frameworks that no ASGI server can serve


def check_entry(project: Project, registry: Mapping[str, Any]) -> None:
    """Check that the entry contains exactly one application.

    :param project: the app.
    :param registry: the report of an import from source.
    :raises ConfigError: when the entry contains no application, several applications, or another
        object.
    """
    kind, objects = registry["kind"], registry["objects"]
    file = find_module_file(project)
    if kind == "missing":
        raise build_entry_error(project, objects)
    if kind not in _APP_KINDS:
        raise ConfigError(
            f"{project.entry!r} is {kind}, neither a Mastra object nor an ASGI or WSGI "
            "application.",
            _suggest_application(kind),
        )
    if len(objects) > 1 and not _has_explicit_entry(project):
        raise ConfigError(
            f"{file} has {len(objects)} Mastra objects: {', '.join(objects)}.",
            "Keep only one Mastra object. Or choose one: [tool.mastra] entry = "
            f"'{project.module}:{objects[0]}'.",
        )


def build_entry_error(project: Project, objects: Sequence[str] = ()) -> ConfigError:
    """Build the error for a module that lacks the application.

    :param project: the app.
    :param objects: the names of the Mastra objects in the module.
    """
    hint = "Name the variable that contains the application: --app module:attribute."
    if project.attribute == "mastra":
        hint = "Add it: mastra = Mastra(...)."
    if objects:
        hint = f"Rename it, or write [tool.mastra] entry = '{project.module}:{objects[0]}'."
    return ConfigError(f"{find_module_file(project)} does not define {project.attribute!r}.", hint)


def _suggest_application(kind: str) -> str:
    if kind == "a factory":
        return "Call it in the module, and name its result: app = create_app()."
    if framework := next((name for name in _OWN_SERVERS if f" {name}." in kind), ""):
        return (
            f"{framework} has its own server and no ASGI or WSGI interface. Move the routes to "
            "Starlette, FastAPI or Flask, or deploy its server without mastra."
        )
    return "Name the application itself, as for an ASGI server."


def _has_explicit_entry(project: Project) -> bool:
    """Return whether the user named the app's object; if so, other objects have no effect."""
    return bool(project.config.get("entry")) or not project.module.startswith("mastra")
