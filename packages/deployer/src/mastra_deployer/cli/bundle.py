"""``mastra bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from mastra_deployer.cli.build import lines, shown
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal

__all__ = ("bundle",)


@click.command()
@click.argument("target", default="")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to put it.")
@build_options
def bundle(options: Options, target: str, output: Path | None) -> None:
    """Build the app and shape it for TARGET, without deploying. Needs no credentials.

    It goes to .mastra-local/bundles/TARGET unless --output says otherwise.
    """
    with Terminal(as_json=options.as_json) as terminal:
        made = options.session(target, terminal).bundle(output)
        terminal.answer(shown(made), *lines(made))
