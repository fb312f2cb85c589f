"""``mastra``: a command is imported when it is called, so ``--help`` costs next to nothing."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

__all__ = ("main",)

_COMMANDS = {
    "build": "Build the universal bundle in .mastra/.",
    "bundle": "Build and shape a bundle for a target.",
    "canary": "Send a share of the traffic to a deployment.",
    "check": "Find what would go wrong, without publishing anything.",
    "deploy": "Bundle and put the result on a platform.",
    "deployments": "List the deployments on a platform.",
    "destroy": "Remove the app from a platform.",
    "dev": "Run the app from source, and again at every save.",
    "doctor": "Find out whether a deploy would work.",
    "env": "List, set, unset, compare and sync the app's variables on a platform.",
    "logs": "Show the log of an app on a platform.",
    "new": "Make a project, a deployer, CI or files for a host.",
    "preview": "Run a target's bundle here the way the platform would.",
    "promote": "Make a deployment the live one.",
    "rollback": "Go back to the deployment before, or to a named one.",
    "start": "Serve the bundle in .mastra/, with .env loaded.",
    "studio": "Try agents and workflows in a browser, in Mastra Studio.",
    "targets": "Show installed and configured targets.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"mastra_deployer.cli.{cmd_name}")
        return getattr(module, cmd_name)  # type: ignore[no-any-return]  # one command a file, of its name

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from mastra_deployer.project.suggest import suggest

            raise click.UsageError(f"{error.message} {suggest(args[0], _COMMANDS)}", ctx) from None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mastra-deployer", prog_name="mastra")
def cli() -> None:
    """Write agents and workflows once, and put them behind an HTTP API anywhere."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    The only place where an error is printed.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = "-v" in arguments or "--verbose" in arguments
    try:
        code = cli.main(args=arguments, standalone_mode=False)
    except Exception as error:  # noqa: BLE001  # whatever it is, a person gets a sentence
        code = _failed(error, as_json="--json" in arguments, verbose=verbose)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _failed(error: Exception, *, as_json: bool, verbose: bool) -> int:
    if isinstance(error, click.Abort):
        return 130
    if verbose and not isinstance(error, click.ClickException):
        import traceback

        traceback.print_exception(error)
    message, hint, code = _sentence(error)
    if as_json:
        import json

        kind = type(error).__name__
        told: dict[str, Any] = {"type": kind, "message": message, "hint": hint, "exit_code": code}
        click.echo(json.dumps({"ok": False, "error": told, **_concerned(error)}))
    click.secho("error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(message, err=True)
    if hint:
        click.echo("\n".join(f"  {line}" for line in hint.splitlines()), err=True)
    return code


def _concerned(error: Exception) -> dict[str, Any]:
    """The deployment that an error is about."""
    made = getattr(error, "deployment", None)
    if made is None:
        return {}
    from mastra_deployer.cli.deployment import shown

    return {"deployment": shown(made)}


def _sentence(error: Exception) -> tuple[str, str, int]:
    from mastra_core.errors import MastraError

    if isinstance(error, MastraError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), "`mastra COMMAND --help` shows what it takes.", 2
    if isinstance(error, OSError):
        return _os_words(error), _os_cure(error), 1
    return (
        f"mastra failed: {type(error).__name__}: {error}",
        "This is a defect of mastra; run again with -v and report what it prints.",
        1,
    )


def _os_cure(error: OSError) -> str:
    import errno

    if error.errno == errno.ENAMETOOLONG:
        return "Move the project to a shorter path, or shorten the name."
    return "Check the free space and the permissions."


def _os_words(error: OSError) -> str:
    """What the system said; copying a tree collects (source, target, reason) triples instead."""
    reasons = error.args[0] if error.args else ""
    if isinstance(reasons, list) and reasons:
        reason = reasons[0][2].partition("] ")[2].partition(":")[0] or reasons[0][2]
        return f"{reason} ({len(reasons)} files could not be copied)."
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}."
