"""``mastra new``: one file a thing that can be made, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from mastra_deployer.project.suggest import suggest

__all__ = ("new",)

_KINDS = {
    "app": "A project; `mastra new NAME` does the same.",
    "ci": "Files for github or gitlab: test, bundle, preview, deploy, roll back.",
    "deployer": "A package that deploys to a platform of yours.",
    "host": "Files that run the bundle: docker, compose, kubernetes, systemd, procfile.",
}


class _Kinds(click.Group):
    """A group whose first word may be left out: it is ``app`` then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = import_module(f"mastra_deployer.cli.new_{cmd_name}")
        return getattr(module, f"new_{cmd_name}")  # type: ignore[no-any-return]  # one command a file, of its name

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_KINDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [arg for arg in args if not arg.startswith("-")]
        if words and words[0] in _KINDS:
            args = [words[0], *_without(args, words[0])]
        elif len(words) > 1:
            raise click.UsageError(
                f"There is nothing called {words[0]!r} to make. {suggest(words[0], _KINDS)}", ctx
            )
        elif words or not {"-h", "--help"} & set(args):
            args = ["app", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Kinds, subcommand_metavar="[KIND] NAME")
def new() -> None:
    """Make a project, a deployer, or the files that put a project somewhere."""


def _without(args: list[str], word: str) -> list[str]:
    """Options may stand before the word."""
    place = args.index(word)
    return args[:place] + args[place + 1 :]
