"""Match paths to files and functions: `config.json` of the Build Output API, version 3."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from tests.vercel.fake.sites.build_output import (
    OUTPUT,
    iter_functions,
    load_output_config,
)

PHASES = ("", "filesystem", "resource", "rewrite", "miss")


@dataclasses.dataclass(kw_only=True)
class RouteMatch:
    """A file or a function; `path` is the path that the function receives.

    :param status: status of a route that responds by itself.
    """

    file: Path | None = None
    function: Path | None = None
    path: str = ""
    status: int = 0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def match_route(directory: Path, method: str, path: str) -> RouteMatch:
    """Return the match of a path; its `status` is 404 when nothing matches."""
    output = _Output(directory)
    phases = _group_by_phase(load_output_config(directory).get("routes") or [])
    current_path, function_path = path, path
    headers: dict[str, str] = {}
    for phase in PHASES:
        if phase == "filesystem" and (match := output.find(current_path, function_path)):
            return dataclasses.replace(match, headers=headers)
        for route in phases.get(phase, []):
            groups = re.fullmatch(
                route.get("src", "").removeprefix("^").removesuffix("$"), current_path
            )
            if not groups or method not in route.get("methods", [method]):
                continue
            headers |= {k: _fill_template(v, groups) for k, v in route.get("headers", {}).items()}
            function_path = _transform_path(route, groups, function_path)
            if "dest" in route:
                current_path = _fill_template(route["dest"], groups).split("?")[0]
                if match := output.find(current_path, function_path):
                    return dataclasses.replace(match, headers=headers)
            elif "status" in route and not route.get("continue"):
                return RouteMatch(status=route["status"], headers=headers)
    return RouteMatch(status=404, headers=headers)


class _Output:
    def __init__(self, directory: Path) -> None:
        self.static = directory / OUTPUT / "static"
        self.functions = dict(iter_functions(directory))

    def find(self, path: str, function_path: str) -> RouteMatch | None:
        """Return the file or function at a path.

        :param function_path: path that a function receives.
        """
        name = path.strip("/") or "index"
        for file in (self.static / name, self.static / name / "index.html"):
            inside = file.resolve().is_relative_to(self.static.resolve())
            if inside and file.is_file():
                return RouteMatch(file=file)
        if name in self.functions:
            return RouteMatch(function=self.functions[name], path=function_path)
        return None


def _group_by_phase(routes: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    phases: dict[str, list[dict[str, Any]]] = {}
    phase = ""
    for route in routes:
        if "handle" in route:
            phase = route["handle"]
        else:
            phases.setdefault(phase, []).append(route)
    return phases


def _fill_template(template: str, match: re.Match[str]) -> str:
    return re.sub(r"\$(\d)", lambda group: match[int(group[1])] or "", template)


def _transform_path(route: dict[str, Any], match: re.Match[str], path: str) -> str:
    for transform in route.get("transforms", []):
        if (transform["type"], transform["op"]) == ("request.path", "set"):
            path = _fill_template(transform["args"], match)
    return path
