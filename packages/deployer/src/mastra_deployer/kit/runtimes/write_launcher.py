"""Write the launcher of a function, or a handler of HTTP events, into a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import BundleManifest

__all__ = ("render_launcher", "write_event_handler", "write_launcher")

_LAUNCHER = Path(__file__).with_name("serverless_launcher.py")
_EVENT_HANDLER = Path(__file__).with_name("event_handler.py")
_CONNECTION = "mastra_server.http.connections:LimitedConnection"


def write_launcher(file: Path, manifest: BundleManifest) -> None:
    """Write a module that starts the app in the runtime of a function platform.

    The module has the ASGI application ``app``, and a function ``serve(listener)``, which serves
    ``app`` on a bound socket.

    :param file: the new file, in the directory that ``manifest.paths`` are relative to.
    :param manifest: the manifest of the build.
    :raises BundleError: when the app or a dependency has a module with the name of the file.
    """
    file.write_bytes(render_launcher(file.name, file.parent, manifest))


def render_launcher(name: str, directory: Path, manifest: BundleManifest) -> bytes:
    """Return the source of the module that `write_launcher` writes.

    :param name: the file name of the module, for example ``"handler.py"``.
    :param directory: the directory that ``manifest.paths`` are relative to.
    :param manifest: the manifest of the build.
    :raises BundleError: when the app or a dependency has a module with the name of the file.
    """
    _check_name(directory / name, manifest)
    constants = {
        "APP": manifest.app,
        "PATHS": tuple(manifest.paths),
        "REQUIRED": tuple(manifest.required),
        "HTTP": _CONNECTION if manifest.kind == "mastra" else "auto",
    }
    return _render_source(_LAUNCHER, constants)


def write_event_handler(file: Path, manifest: BundleManifest) -> None:
    """Write a module whose ``handler(event, context)`` passes HTTP events to the app.

    The events are those of a function URL of AWS Lambda, and of an HTTP API of API Gateway. The
    launcher is written beside the module: ``handler_app.py`` beside ``handler.py``.

    :param file: the new file, in the directory that ``manifest.paths`` are relative to.
    :param manifest: the manifest of the build.
    :raises BundleError: when the app or a dependency has a module with the name of the handler or
        of the launcher.
    """
    _check_name(file, manifest)
    launcher = file.with_name(f"{file.stem}_app.py")
    write_launcher(launcher, manifest)
    file.write_bytes(_render_source(_EVENT_HANDLER, {"LAUNCHER": launcher.stem}))


def _check_name(file: Path, manifest: BundleManifest) -> None:
    """Refuse a file name that would hide a module of the app."""
    for path in manifest.paths:
        module = file.parent / path / file.stem
        if module.is_dir() or module.with_suffix(".py").is_file():
            raise BundleError(
                f"The bundle's file {file.name!r} would hide the module {file.stem!r} of the app "
                "or of a dependency.",
                f"Rename the module {file.stem!r}. Or let the deployer write its launcher to a "
                "file with another name.",
            )


def _render_source(source: Path, constants: Mapping[str, object]) -> bytes:
    """Return the source of a module after replacing the values of some constants."""
    text = source.read_text(encoding="utf-8")
    for name, value in constants.items():
        head, tail = re.split(rf"(?m)^{name} = .*$", text, maxsplit=1)
        text = f"{head}{name} = {value!r}{tail}"
    return text.encode()
