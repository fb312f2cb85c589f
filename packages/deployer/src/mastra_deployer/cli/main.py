"""The ``mastra`` command, which imports the module of a subcommand only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from mastra_deployer.output.standard_streams import OutputError, open_standard_streams
from mastra_deployer.project.termination import INTERRUPTS, find_interrupt, get_exit_code

__all__ = ("main",)

_COMMANDS = {
    "build": "Build the universal bundle in .mastra/.",
    "bundle": "Build a bundle for a target.",
    "canary": "Send a share of the traffic to a deployment.",
    "check": "Find problems that would make a deploy fail, without deploying.",
    "db": "Migrate the tables of the database, or show their versions.",
    "deploy": "Bundle the app and deploy it to a platform.",
    "deployments": "List the deployments on a platform.",
    "destroy": "Remove the app from a platform.",
    "dev": "Run the app from source, and reload it each time a file is saved.",
    "doctor": "Check whether a deploy would succeed.",
    "env": "List, set, unset, compare and sync the app's variables on a platform.",
    "logs": "Show the log of an app on a platform.",
    "new": "Create a project, a deployer, a CI pipeline, or files for a host or for monitoring.",
    "preview": "Run a target's bundle on this machine as on the platform.",
    "promote": "Make a deployment live.",
    "rollback": "Make an earlier deployment live again.",
    "runs": "List, show, cancel, resume, retry and move durable runs of workflows.",
    "start": "Serve the bundle in .mastra/, with the variables of .env.",
    "studio": "Try agents and workflows in a browser, in Mastra Studio.",
    "targets": "Show installed targets and configured targets.",
    "trust": "Trust a host with your credentials, or a project's own deployer.",
}
_MODULES = {name: f"database.{name}" for name in ("db", "runs")}  # in directories of their own

_OUTPUT_CLOSED = 141  # the exit code that a shell shows for SIGPIPE


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"mastra_deployer.cli.{_MODULES.get(cmd_name, cmd_name)}")
        return getattr(module, cmd_name)  # type: ignore[no-any-return]  # one command a file, of its name

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # of a connection; click would end without an error
            raise ConnectionError(error.strerror) from error

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
    """Write agents and workflows once, and serve them behind an HTTP API anywhere."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, print its error if it fails, and exit with its exit code.

    :param arguments: the arguments of the command line; if left out, the arguments of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    open_standard_streams()
    _leave_out_httpx_command()
    try:
        code = _run(arguments)
    except OutputError as error:
        code = _print_output_error(error)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Run the command line, and return its exit code."""
    as_json, verbose = "--json" in arguments, "-v" in arguments or "--verbose" in arguments
    try:
        code = cli.main(args=arguments, prog_name="mastra", standalone_mode=False)
        sys.stdout.flush()
    except OutputError:
        raise
    except Exception as error:  # noqa: BLE001  # every error is printed as a sentence
        if interrupt := find_interrupt(error):
            return _print_interrupt(interrupt, as_json=as_json)
        return _print_error(error, as_json=as_json, verbose=verbose)
    except INTERRUPTS as interrupt:
        return _print_interrupt(interrupt, as_json=as_json)
    return code if isinstance(code, int) else 0


def _leave_out_httpx_command() -> None:
    """Prevent httpx from importing its command line, which imports rich.

    The import of rich takes half of the time. httpx itself does not need rich.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # typeshed has no None
    modules.setdefault("httpx._main", None)


def _print_error(error: Exception, *, as_json: bool, verbose: bool) -> int:
    if isinstance(error.__cause__, EOFError) and isinstance(error, click.Abort):
        error = error.__cause__  # click treats it as Ctrl-C
    if isinstance(error, click.Abort):  # a question got no answer: the end of standard input
        return _print_interrupt(None, as_json=as_json)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    from mastra_deployer.output.masking import mask

    if verbose and not isinstance(error, click.ClickException):
        import traceback

        from mastra_core.logs.escape import escape_text

        trace = "".join(traceback.format_exception(error))
        click.echo(escape_text(mask(trace)), err=True, nl=False)
    message, hint, code = _describe_error(error)
    message, hint = mask(message), mask(hint)
    if as_json:
        _print_json(error, message, hint, code)
    from mastra_deployer.cli.terminal import print_message

    print_message("error", "red", message, hint)
    return code


def _print_interrupt(interrupt: BaseException | None, *, as_json: bool) -> int:
    """Print what an interrupted command has changed on the platform."""
    from mastra_deployer.pipeline.interrupt import DeployInterrupt

    if not isinstance(interrupt, DeployInterrupt):
        code = get_exit_code(interrupt)
        if as_json:
            _print_json(interrupt, "Interrupted.", "Run the same command again.", code)
        return code
    from mastra_deployer.cli.terminal import print_message
    from mastra_deployer.output.masking import mask

    message, hint = mask(interrupt.message), mask(interrupt.hint)
    if as_json:
        _print_json(interrupt, message, hint, interrupt.exit_code)
    print_message("note", "cyan", message, hint)
    return interrupt.exit_code


def _print_output_error(error: OutputError) -> int:
    """Print why the result cannot be written; print nothing if nobody reads it any more."""
    if error.is_closed:  # as after `mastra targets | head -1`
        return _OUTPUT_CLOSED
    from mastra_deployer.cli.terminal import print_message

    text = f"Standard output cannot be written: {error.reason}."
    print_message("error", "red", text, "Free some space, or redirect the output to another file.")
    return 1


def _print_json(error: BaseException | None, message: str, hint: str, code: int) -> None:
    import json

    # Python's own exceptions of an interrupt, and none after the end of standard input.
    is_interrupt = error is None or type(error) in INTERRUPTS
    kind = "Interrupt" if is_interrupt else type(error).__name__
    data: dict[str, Any] = {"type": kind, "message": message, "hint": hint, "exit_code": code}
    notes = getattr(error, "command_notes", [])  # set by the command's Terminal
    result = {"ok": False, "error": data, **_get_deployment(error), "notes": notes}
    click.echo(json.dumps(result))


def _get_deployment(error: BaseException | None) -> dict[str, Any]:
    """Return the deployment that an error contains, for the JSON output."""
    deployment = getattr(error, "deployment", None)
    if deployment is None:
        return {}
    from mastra_deployer.cli.deployment import to_json

    return {"deployment": to_json(deployment)}


def _describe_error(error: Exception) -> tuple[str, str, int]:
    from mastra_core.errors import MastraError

    if isinstance(error, MastraError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, click.ClickException):
        return _format_usage_error(error), _get_usage_hint(error), 2
    if isinstance(error, OSError):
        return _format_os_error(error), _get_os_hint(error), 1
    return (
        f"mastra failed: {type(error).__name__}: {error}",
        "This is a defect of mastra. Run the command again with -v, and report its output.",
        1,
    )


def _format_usage_error(error: click.ClickException) -> str:
    """Return click's message, in which an unknown option is quoted."""
    if isinstance(error, click.NoSuchOption):  # click quotes it since 8.4
        message = f"No such option {error.option_name!r}."
        error = click.NoSuchOption(error.option_name, message, error.possibilities)
    return error.format_message()


def _get_usage_hint(error: click.ClickException) -> str:
    """Return a hint for a wrong command line."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "mastra COMMAND"
    hint = f"`{path} --help` shows its arguments and options."
    if isinstance(error, click.NoSuchOption) and context:
        return _get_option_hint(error.option_name, context) or hint
    parameters = context.command.params if context else ()
    options = [each.name for each in parameters if isinstance(each, click.Option)]
    if isinstance(error, click.MissingParameter) and error.param and error.param.name == "id":
        return f"`mastra deployments` lists the IDs. {hint}"
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option):
        return f"Write `{path} {_format_missing(error.param, parameters)}`. {hint}"
    if "unexpected extra argument" in error.message and "target" in options:
        return f"Name the target with --target. {hint}"
    return hint


def _format_missing(option: click.Option, parameters: Sequence[click.Parameter]) -> str:
    """Return the arguments of a command, and an option that is missing, with its value."""
    arguments = [
        each.human_readable_name for each in parameters if isinstance(each, click.Argument)
    ]
    return " ".join([*arguments, option.opts[0], option.metavar or "VALUE"])


def _get_option_hint(option: str, context: click.Context) -> str:
    """Return where to write an option that the command does not have, or an empty text."""
    path, command = context.command_path, context.command
    if isinstance(command, click.Group):
        return f"Options must follow the command: `{path} COMMAND {option}`."
    arguments = [each.name for each in command.params if isinstance(each, click.Argument)]
    if option in ("-t", "--target") and "target" in arguments:
        return f"Name the target without an option: `{path} TARGET`."
    return ""


def _get_os_hint(error: OSError) -> str:
    import errno

    hints = {
        errno.ENAMETOOLONG: "Move the project to a shorter path, or shorten the name.",
        errno.EMFILE: "Raise the limit of open files: `ulimit -n 1024`.",
        errno.ENFILE: "Raise the limit of open files of this machine.",
        errno.ENOMEM: "Free some memory.",
        errno.EAGAIN: "End other processes, or raise the limit of processes: `ulimit -u`.",
    }
    if isinstance(error, ConnectionError):
        return "Check the network, and run the same command again."
    return hints.get(error.errno or 0, "Check the free space and the permissions.")


def _format_os_error(error: OSError) -> str:
    """Format an ``OSError``, or the list of errors in a ``shutil.Error``."""
    reasons = error.args[0] if error.args else ""
    if isinstance(reasons, list) and reasons:
        reason = reasons[0][2].partition("] ")[2].partition(":")[0] or reasons[0][2]
        return f"{reason} ({len(reasons)} files could not be copied)."
    where = f" ({error.filename})" if error.filename else ""
    lead = "A connection was lost: " if isinstance(error, ConnectionError) else ""
    return f"{lead}{error.strerror or error}{where}."
