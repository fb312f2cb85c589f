"""``mastra dev``."""

from __future__ import annotations

import os
import sys

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import ALLOW_HOST, ENV_FILE, Options, project_options

__all__ = ("dev",)

_DEBUG = "127.0.0.1:5678"


@click.command()
@click.option(
    "--port",
    type=int,
    help="Port to bind; default: PORT, or the app's, or 3000, or the next free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option(
    "--debug",
    is_flag=False,
    flag_value=_DEBUG,
    default="",
    metavar="[HOST:]PORT",
    help=f"Wait for a debugger; default: on {_DEBUG}.",
)
@ALLOW_HOST
@click.option("-q", "--quiet", is_flag=True, help="Print no line for each request.")
@ENV_FILE
@project_options
def dev(
    options: Options,
    port: int | None,
    host: str,
    debug: str,
    allow_hosts: tuple[str, ...],
    quiet: bool,
) -> None:
    """Run the app from source, and reload it each time a file is saved.

    If a saved version does not start, the last working version continues to serve.
    """
    if os.name != "posix":
        raise ConfigError(
            "`mastra dev` runs on Linux and macOS only.",
            "Run it under WSL. `mastra build` and `mastra start` also run on Windows.",
        )
    from mastra_deployer.dev.console import Screen
    from mastra_deployer.dev.debugger import parse_debug_address
    from mastra_deployer.dev.options import DevOptions
    from mastra_deployer.dev.supervisor import develop

    dev_options = DevOptions(
        directory=options.directory.absolute(),
        app=options.app,
        host=host,
        port=port,
        debug=parse_debug_address(debug) if debug else "",
        quiet=quiet,
        env_file=options.env_file,
        allow_hosts=allow_hosts,
    )
    sys.exit(develop(dev_options, Screen(as_json=options.as_json)))
