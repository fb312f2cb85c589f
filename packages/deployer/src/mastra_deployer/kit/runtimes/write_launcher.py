"""Writes the launcher of a function into a bundle."""

from __future__ import annotations

import re
from pathlib import Path

from mastra_core.pipeline import BundleManifest

__all__ = ("write_launcher",)

_SOURCE = Path(__file__).with_name("serverless_launcher.py")
_CONNECTION = "mastra_server.http.connections:LimitedConnection"


def write_launcher(file: Path, manifest: BundleManifest) -> None:
    """Write a module that starts the app in the runtime of a function platform.

    Its ``app`` is an ASGI application, and its ``serve(listener)`` serves on a bound socket.

    :param file: the new file, in the directory that ``manifest.paths`` are relative to.
    :param manifest: the manifest of the build.
    """
    constants = {
        "APP": manifest.app,
        "PATHS": tuple(manifest.paths),
        "REQUIRED": tuple(manifest.required),
        "HTTP": _CONNECTION if manifest.kind == "mastra" else "auto",
    }
    text = _SOURCE.read_text(encoding="utf-8")
    for name, value in constants.items():
        head, tail = re.split(rf"(?m)^{name} = .*$", text, maxsplit=1)
        text = f"{head}{name} = {value!r}{tail}"
    file.write_text(text, encoding="utf-8")
