"""``mastra check``."""

from __future__ import annotations

from pathlib import Path

import click

from mastra_core.line import Bundle
from mastra_deployer.cli.build import lines, shown
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.environment import app_values
from mastra_deployer.places import local_directory, scratch_directory
from mastra_deployer.session import Session

__all__ = ("check",)


@click.command()
@click.argument("target", default="server")
@build_options
def check(options: Options, target: str) -> None:
    """Build for TARGET, start the app in isolation and run every check; publish nothing.

    The bundle in place, if there is one, stays as it is.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session(target, terminal)
        app_values(session.project.environment, session.values)
        found = _bundled(session)
        ready = f"{session.project.entry} is ready for {session.choice.name}."
        terminal.answer(shown(found), *lines(found)[1:], ready)


def _bundled(session: Session) -> Bundle:
    """A bundle made beside the real one, and thrown away."""
    with scratch_directory(local_directory(session.project), "check-") as scratch:
        return session.bundle(Path(scratch) / "checked", again=False)
