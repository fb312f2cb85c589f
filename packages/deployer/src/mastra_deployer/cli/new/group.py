"""The command ``mastra new``, which imports only the module of the kind that the user names."""

from __future__ import annotations

from importlib import import_module

import click

from mastra_deployer.project.suggest import suggest

__all__ = ("new",)

_KINDS = {
    "app": "A project; the same as `mastra new NAME`.",
    "ci": "A pipeline for github or gitlab: test, bundle, preview, deploy, roll back.",
    "deployer": "A package that deploys to another platform.",
    "monitoring": "Alerts for Prometheus, a dashboard for Grafana, and a compose file.",
    "host": "Files for docker, compose, kubernetes, systemd, blue-green or procfile.",
}


class _KindGroup(click.Group):
    """A command group whose default subcommand is ``app``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = import_module(f"mastra_deployer.cli.new.new_{cmd_name}")
        return getattr(module, f"new_{cmd_name}")  # type: ignore[no-any-return]  # one command a file, of its name

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_KINDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [arg for arg in args if not arg.startswith("-")]
        if words and words[0] in _KINDS:
            args = [words[0], *_remove_word(args, words[0])]
        elif len(words) > 1:
            raise click.UsageError(
                f"`mastra new` cannot create {words[0]!r}. {suggest(words[0], _KINDS)}", ctx
            )
        elif words or not {"-h", "--help"} & set(args):
            args = ["app", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_KindGroup, subcommand_metavar="[KIND] NAME")
def new() -> None:
    """Create a project, a deployer, or the files that deploy or run a project."""


def _remove_word(args: list[str], word: str) -> list[str]:
    """Remove the kind from the arguments of ``mastra new``, even if options precede the kind."""
    index = args.index(word)
    return args[:index] + args[index + 1 :]
