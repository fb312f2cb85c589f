"""``mastra bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from mastra_deployer.cli.build import format_lines, to_json
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.make_bundle import make_bundle

__all__ = ("bundle",)


@click.command()
@click.argument("target", default="")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Directory to write the bundle to."
)
@build_options
def bundle(options: Options, target: str, output: Path | None) -> None:
    """Build the app's bundle for TARGET, without deploying it.

    The command needs no credentials. Without --output, the command writes the bundle to
    .mastra-local/bundles/TARGET.
    """
    with Terminal(as_json=options.as_json) as terminal:
        result = make_bundle(options.session(target, terminal), output)
        terminal.answer(to_json(result), *format_lines(result))
