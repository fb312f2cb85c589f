"""Every command that talks to a platform, derived from the command line itself."""

import click

from mastra_deployer.cli.main import cli

# What a required argument or option of a command gets.
VALUES = {"id": "mastra-0123456789ab", "names": "GREETING", "percent": "10"}
FLAGS = {"yes": "--yes"}


def list_commands():
    """Every command and subcommand: its words and its click object."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (((name, each), sub) for each, sub in command.commands.items())
        else:
            yield (name,), command


def _has_option(command, name):
    return any(parameter.name == name for parameter in command.params)


def is_platform_command(command):
    """Commands with settings that build nothing use the platform only."""
    return _has_option(command, "sets") and not _has_option(command, "python")


def build_arguments(words, command, target):
    """Return the command line of a command for a target, with all that it requires."""
    options, positional = [], []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            value = target if parameter.name == "target" else VALUES.get(parameter.name)
            positional += [value] if value else []
        elif parameter.name == "target":
            options += ["--target", target]
        elif parameter.required:
            options += [parameter.opts[0], VALUES[parameter.name]]
        elif parameter.name in FLAGS:
            options.append(FLAGS[parameter.name])
    return [*words, *options, *positional]


PLATFORM_COMMANDS = {
    " ".join(words): (words, command)
    for words, command in list_commands()
    if is_platform_command(command)
}
