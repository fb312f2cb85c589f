"""Where a request to a deployment goes: `config.json` of the Build Output API, version 3."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from tests.vercel.fake.building import OUTPUT, config_of, functions_of, output_config

PHASES = ("", "filesystem", "resource", "rewrite", "miss")


@dataclasses.dataclass(kw_only=True)
class Found:
    """A file or a function; `path` is what the function is asked for.

    :param status: for an answer that a route makes by itself.
    """

    file: Path | None = None
    function: Path | None = None
    path: str = ""
    status: int = 0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def find(directory: Path, method: str, path: str) -> Found:
    """What answers; `status` 404 where nothing does."""
    output = _Output(directory)
    phases = _phases(output_config(directory).get("routes") or [])
    at, seen = path, path
    headers: dict[str, str] = {}
    for phase in PHASES:
        if phase == "filesystem" and (found := output.at(at, seen)):
            return dataclasses.replace(found, headers=headers)
        for route in phases.get(phase, []):
            match = re.fullmatch(route.get("src", "").removeprefix("^").removesuffix("$"), at)
            if not match or method not in route.get("methods", [method]):
                continue
            headers |= {k: _filled(v, match) for k, v in route.get("headers", {}).items()}
            seen = _transformed(route, match, seen)
            if "dest" in route:
                at = _filled(route["dest"], match).split("?")[0]
                if found := output.at(at, seen):
                    return dataclasses.replace(found, headers=headers)
            elif "status" in route and not route.get("continue"):
                return Found(status=route["status"], headers=headers)
    return Found(status=404, headers=headers)


class _Output:
    def __init__(self, directory: Path) -> None:
        self.static = directory / OUTPUT / "static"
        self.functions = dict(functions_of(directory))

    def at(self, path: str, seen: str) -> Found | None:
        """What lies at a path.

        :param seen: what a function there is asked for.
        """
        name = path.strip("/") or "index"
        for file in (self.static / name, self.static / name / "index.html"):
            inside = file.resolve().is_relative_to(self.static.resolve())
            if inside and file.is_file():
                return Found(file=file)
        if name in self.functions:
            return Found(function=self.functions[name], path=seen)
        return None


def longest(function: Path) -> int:
    """Seconds a request to it may take."""
    return int(config_of(function).get("maxDuration", 300))


def _phases(routes: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    phases: dict[str, list[dict[str, Any]]] = {}
    now = ""
    for route in routes:
        if "handle" in route:
            now = route["handle"]
        else:
            phases.setdefault(now, []).append(route)
    return phases


def _filled(template: str, match: re.Match[str]) -> str:
    return re.sub(r"\$(\d)", lambda found: match[int(found[1])] or "", template)


def _transformed(route: dict[str, Any], match: re.Match[str], seen: str) -> str:
    for transform in route.get("transforms", []):
        if (transform["type"], transform["op"]) == ("request.path", "set"):
            seen = _filled(transform["args"], match)
    return seen
