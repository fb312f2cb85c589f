"""Read and write the layout of a bundle: zipped functions, their manifest, static files.

    .netlify/functions/NAME.zip        one function
    .netlify/functions/manifest.json   what Netlify has to know about each function
    static/                            files that Netlify's CDN serves

Netlify's command line also looks for functions in .netlify/functions. A deploy reads no other files
of the bundle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mastra_core.errors import BundleError

__all__ = (
    "FUNCTIONS",
    "STATIC",
    "FunctionConfig",
    "read_functions",
    "write_functions",
)

FUNCTIONS = ".netlify/functions"
STATIC = "static"
_MANIFEST = f"{FUNCTIONS}/manifest.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionConfig:
    """One function, with the fields of its entry in ``manifest.json``.

    :param name: name of the function: letters, digits, ``_`` and ``-``.
    :param path: path of the function's zip, relative to the bundle.
    :param runtime: runtime of the upload, such as ``nodejs24.x``.
    :param invocation_mode: ``stream``, ``buffer`` or ``background``.
    :param routes: routes that the function answers, in the format of Netlify's API.
    :param excluded_routes: routes that the function does not answer, in the format of Netlify's
        API.
    :param build_data: data that Netlify needs to run the function.
    :param region: region of the function; if empty, the region of the site.
    :param memory: memory in megabytes; Netlify's default where ``None``.
    """

    name: str
    path: str
    runtime: str = "nodejs24.x"
    invocation_mode: str = "stream"
    routes: tuple[dict[str, Any], ...] = ()
    excluded_routes: tuple[dict[str, Any], ...] = ()
    build_data: dict[str, Any] = dataclasses.field(default_factory=dict)
    region: str = ""
    memory: int | None = None

    def to_config(self) -> dict[str, Any]:
        """Return the function's entry for ``functions_config`` in the request for a deployment."""
        optional = {
            "excluded_routes": [dict(route) for route in self.excluded_routes],
            "region": self.region,
            "memory": self.memory,
        }
        return {
            "display_name": self.name,
            "generator": "mastra",
            "routes": [dict(route) for route in self.routes],
            "build_data": self.build_data,
            **{name: value for name, value in optional.items() if value},
        }


def write_functions(directory: Path, functions: Sequence[FunctionConfig]) -> None:
    """Write ``manifest.json``.

    :param directory: the directory of the bundle.
    :param functions: the functions, whose zips are in the bundle.
    """
    content = {"version": 1, "functions": [_to_entry(function) for function in functions]}
    text = msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2)
    (directory / _MANIFEST).write_bytes(text + b"\n")


def read_functions(directory: Path) -> tuple[FunctionConfig, ...]:
    """Read ``manifest.json``.

    :param directory: the directory of the bundle.
    :returns: the functions.
    :raises BundleError: when the manifest is missing or invalid, or a zip is missing.
    """
    try:
        content = msgspec.json.decode((directory / _MANIFEST).read_bytes())
        functions = tuple(_to_function(entry) for entry in content["functions"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError(
            f"The manifest {_MANIFEST} in the bundle is missing or invalid: {error}.",
            "Bundle again: mastra bundle netlify.",
        ) from None
    for function in functions:
        if not (directory / function.path).is_file():
            raise BundleError(
                f"{function.path} is missing in the bundle.", "Bundle again: mastra bundle netlify."
            )
    return functions


def _to_entry(function: FunctionConfig) -> dict[str, Any]:
    optional = {
        "excludedRoutes": [dict(route) for route in function.excluded_routes],
        "region": function.region,
        "memory": function.memory,
    }
    return {
        "name": function.name,
        "path": function.path,
        "runtime": "js",
        "runtimeVersion": function.runtime,
        "invocationMode": function.invocation_mode,
        "routes": [_to_camel(route) for route in function.routes],
        "buildData": function.build_data,
        **{name: value for name, value in optional.items() if value},
    }


def _to_function(entry: dict[str, Any]) -> FunctionConfig:
    return FunctionConfig(
        name=str(entry["name"]),
        path=str(entry["path"]),
        runtime=str(entry.get("runtimeVersion") or entry["runtime"]),
        invocation_mode=str(entry.get("invocationMode") or "stream"),
        routes=tuple(_to_snake(route) for route in entry.get("routes") or ()),
        excluded_routes=tuple(dict(route) for route in entry.get("excludedRoutes") or ()),
        build_data=dict(entry.get("buildData") or {}),
        region=str(entry.get("region") or ""),
        memory=entry.get("memory"),
    )


def _to_camel(route: dict[str, Any]) -> dict[str, Any]:
    """Rename the field that has different names in the manifest and in the API."""
    return {"preferStatic" if name == "prefer_static" else name: route[name] for name in route}


def _to_snake(route: dict[str, Any]) -> dict[str, Any]:
    return {"prefer_static" if name == "preferStatic" else name: route[name] for name in route}
