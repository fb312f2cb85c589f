"""``mastra new monitoring``."""

from __future__ import annotations

import click

from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.scaffold.host import read_hosting
from mastra_deployer.scaffold.render import render_template, write_files

__all__ = ("new_monitoring",)


@click.command("monitoring")
@click.option("--force", is_flag=True, help="Replace existing files.")
@project_options
def new_monitoring(options: Options, force: bool) -> None:
    """Write alerts for Prometheus, a dashboard for Grafana, and a compose file for both."""
    project = find_project(options.directory, options.app)
    app = read_hosting(project)
    values = {"NAME": app.name, "name": app.name, "port": str(app.port)}
    written = write_files(render_template("monitoring", values), project.root, force=force)
    Terminal(as_json=options.as_json).answer(
        {"name": app.name, "files": [str(path) for path in written]},
        *(f"Wrote {path.relative_to(project.root)}." for path in written),
        "Next:",
        "  Set Server(metrics=True) in the app, and install mastra-server[metrics].",
        "  mastra build && mastra start",
        "  docker compose -f monitoring/compose.yaml up -d",
        f"  Open http://localhost:3300/d/{app.name}.",
    )
