"""``mastra preview``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mastra_core.pipeline import Bundle, Environment
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.choose_preview_platform import check_runs_here
from mastra_deployer.pipeline.make_bundle import make_preview_bundle
from mastra_deployer.pipeline.report_problems import raise_for_errors
from mastra_deployer.pipeline.session import Session
from mastra_deployer.project.settings import remove_secrets

__all__ = ("preview",)


@click.command()
@click.argument("target", default="")
@click.option("--prebuilt", type=click.Path(path_type=Path), help="Run this bundle unchanged.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--port", type=int, default=3000, show_default=True, help="Port to bind.")
@build_options
def preview(options: Options, target: str, prebuilt: Path | None, host: str, port: int) -> None:
    """Run the bundle for TARGET on this machine, as the platform would run it."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session(target, terminal, "preview", sources=prebuilt is None)
        settings = remove_secrets(session.settings)
        bundle = _load_prebuilt(session, prebuilt) if prebuilt else make_preview_bundle(session)
        manifest = bundle.manifest
        declared = Environment(required=manifest.required, optional=manifest.optional)
        if prebuilt:
            raise_for_errors(session.hooks.inspect(bundle, settings), terminal)
            session.report_file_variables(declared)
        env = select_app_variables(declared, session.environ)
    sys.exit(session.hooks.preview(bundle, settings, host, port, env))


def _load_prebuilt(session: Session, directory: Path) -> Bundle:
    bundle = session.hooks.load_bundle(directory.absolute())
    check_runs_here(session.project, session.hooks.target, bundle.manifest)
    return bundle
