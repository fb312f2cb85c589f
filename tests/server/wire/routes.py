"""Compare the routes of this server with the route table of the TypeScript original.

Run ``python -m tests.server.wire.routes``. It installs the original from npm, records its route
table, and writes the section of docs/wire.md between the two markers.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict

from mastra_core import Mastra, Workflow
from mastra_server import create_app
from mastra_server.http.operations import iter_operations
from tests.node import install_packages, run_script
from tests.repository import ROOT
from tests.server.wire.driver import HERE
from tests.server.wire.record import ORIGINAL

PAGE = ROOT / "docs" / "wire.md"
RECORDED = HERE / "routes.json"
BEGIN, END = "<!-- routes: begin -->\n", "<!-- routes: end -->\n"
_HEAD = """\
| path | original | here | 501 | routes that are here |
|---|---|---|---|---|
"""


def identity(value: None) -> None:
    return value


def find_statuses() -> dict[str, int]:
    """Map each route of this server, and each route with a reason for a 501, to 200 or 501."""
    server = {"mcp": True, "logs": True, "traces": True}
    timed = Workflow("timed", schedule="@daily").then(identity)
    app = create_app(Mastra(workflows={"timed": timed}, server=server, logger=False))
    return {
        _normalize(f"{each.method.upper()} {each.path.removeprefix('/api')}"): (
            501 if each.handler.opt.get("errors") == (501,) else 200
        )
        for each in iter_operations(app)
    }


def build_section(recorded: list[str]) -> str:
    """Build the section of the page from the original's routes."""
    statuses = find_statuses()
    groups: dict[str, list[str]] = defaultdict(list)
    for route in recorded:
        groups[route.split("/")[1]].append(route)
    found = {
        name: [route for route in routes if statuses.get(_normalize(route)) == 200]
        for name, routes in groups.items()
    }
    reasons = {
        name: sum(statuses.get(_normalize(route)) == 501 for route in routes)
        for name, routes in groups.items()
    }
    here, refused = sum(map(len, found.values())), sum(reasons.values())
    rows = [
        f"| `{name}` | {len(routes)} | {len(found[name])} | {reasons[name]} | "
        f"{_list_routes(found[name], routes)} |\n"
        for name, routes in sorted(groups.items())
    ]
    return (
        f"The original has {len(recorded)} routes. Of these routes, {here} exist here, {refused} "
        f"respond with a 501 and its reason, and {len(recorded) - here - refused} respond with a "
        f"404.\n\n{_HEAD}{''.join(rows)}"
    )


def render_page(recorded: list[str]) -> str:
    """Return the page with its section of routes."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return before + BEGIN + build_section(recorded) + END + rest.partition(END)[2]


def _normalize(route: str) -> str:
    """Replace the names of parameters, in the original's form and in ours."""
    return re.sub(r":\w+|\{\w+(:\w+)?\}", "{}", route)


def _list_routes(found: list[str], routes: list[str]) -> str:
    if len(found) == len(routes):
        return "all"
    return ", ".join(f"`{route}`" for route in found) or "none"


if __name__ == "__main__":
    routes = run_script(HERE / "routes.mjs", install_packages(*ORIGINAL))
    RECORDED.write_text(json.dumps(routes, indent=0) + "\n", encoding="utf-8")
    PAGE.write_text(render_page(routes), encoding="utf-8")
