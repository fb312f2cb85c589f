"""``mastra destroy``."""

from __future__ import annotations

import sys

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.deployment_history import forget_deployments
from mastra_deployer.pipeline.interrupt import explain_interrupt

__all__ = ("destroy",)


@click.command()
@click.argument("target")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@target_options
def destroy(options: Options, target: str, yes: bool) -> None:
    """Remove the app and all its deployments from TARGET."""
    terminal = Terminal(as_json=options.as_json)
    session = options.platform_session(target, terminal, "destroy")
    if not yes:
        _confirm(target)
    with terminal:
        terminal.step(f"Removing the app from {target}")
        with explain_interrupt(
            "A part of the app may already be removed.",
            "To remove the rest, run the same command again.",
        ):
            destroyed = session.hooks.destroy(session.access, terminal)
        # Also if there was no app: another command may have removed it, and its answer was lost.
        forget_deployments(session.project, session.choice.record_name, terminal)
        text = f"Removed the app from {target}." if destroyed else f"There was no app on {target}."
        terminal.answer({"destroyed": destroyed}, text)


def _confirm(target: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"Removing the app from {target!r} cannot be undone.", "Pass --yes to remove it."
        )
    typed = click.prompt(f"Type {target} to remove the app from it", err=True)
    if typed != target:
        raise ConfigError(
            f"You typed {typed!r}, but the target is {target!r}. Nothing was removed.",
            f"Run the command again, and type {target} to confirm.",
        )
