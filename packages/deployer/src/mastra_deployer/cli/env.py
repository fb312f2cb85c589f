"""``mastra env`` manages the app's variables on the platform, and never prints values."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from mastra_core.errors import ConfigError
from mastra_core.hooks import EnvEffect, EnvStore
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer.checks.reserved_variables import refuse_reserved_variables
from mastra_deployer.cli.options import TARGET, CommandGroup, Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.masking import add_masked_values
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.interrupt import explain_interrupt
from mastra_deployer.pipeline.session import Session
from mastra_deployer.pipeline.variable_changes import forget_changes, record_change

__all__ = ("env",)


@click.group(cls=CommandGroup)
def env() -> None:
    """Manage the app's environment variables on a platform.

    Without --preview, the commands use the variables of production. Values come from the
    environment, --env-file and .env. Values never come from the command line, because other users
    of the machine could read them there.
    """


def _add_options(command: Any) -> Any:
    previews = click.option("--preview", is_flag=True, help="Use the variables of previews.")
    return TARGET(previews(_add_stage(target_options(command))))


def _add_stage(command: Any) -> Any:
    """Convert the option ``--preview`` to the argument ``stage`` of the command."""

    @functools.wraps(command)
    def run_with_stage(preview: bool, **arguments: Any) -> Any:
        return command(stage="preview" if preview else "production", **arguments)

    return run_with_stage


@env.command("list")
@_add_options
def list_names(options: Options, target: str, stage: Stage) -> None:
    """List the names of the variables on the platform, and where they apply."""
    with Terminal(as_json=options.as_json) as terminal:
        _, store = _open_store(options, target, stage, terminal)
        names = dict(sorted(store.list().items()))
        lines = [f"{name}  {where}".rstrip() for name, where in names.items()]
        terminal.answer({"stage": stage, "names": names}, *(lines or ["No variable is set."]))


@env.command("set")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--stdin", is_flag=True, help="Read the value of the single NAME from standard input."
)
@_add_options
def set_names(
    options: Options, target: str, stage: Stage, names: tuple[str, ...], stdin: bool
) -> None:
    """Set each NAME on the platform to its value on this machine."""
    with Terminal(as_json=options.as_json) as terminal:
        _refuse_values(names)
        session, store = _open_store(options, target, stage, terminal)
        refuse_reserved_variables(session.hooks.target, names)
        if stdin and len(names) > 1:
            raise ConfigError(f"--stdin reads one value, not {len(names)}.", "Name one variable.")
        values = {name: _read_value(session, name, terminal, stdin=stdin) for name in names}
        effects = _apply(session, stage, lambda: store.set(values))
        _answer_change(session, terminal, stage, effects, set=names)


@env.command("unset")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_add_options
def unset_names(options: Options, target: str, stage: Stage, names: tuple[str, ...]) -> None:
    """Remove each NAME from the platform."""
    with Terminal(as_json=options.as_json) as terminal:
        _refuse_values(names)
        session, store = _open_store(options, target, stage, terminal)
        effects = _apply(session, stage, lambda: store.unset(names))
        _answer_change(session, terminal, stage, effects, unset=names)


@env.command("diff")
@click.option("--check", is_flag=True, help="Fail if a required variable is missing.")
@_add_options
def diff(options: Options, target: str, stage: Stage, check: bool) -> None:
    """Compare the variables that the app declares with the variables on the platform."""
    with Terminal(as_json=options.as_json) as terminal:
        session, store = _open_store(options, target, stage, terminal)
        declared, stored = session.project.environment, set(store.list())
        missing = [name for name in declared.names if name not in stored]
        extra = sorted(stored - set(declared.names))
        required = [name for name in missing if name in declared.required]
        if check and required:
            raise ConfigError(
                f"Required variables are not set on {session.choice.name}: {', '.join(required)}.",
                f"Set them: mastra env set {' '.join(required)} --target {session.choice.name}.",
            )
        terminal.answer(
            {"stage": stage, "missing": missing, "undeclared": extra},
            *(f"- {name}  {'required' if name in required else 'optional'}" for name in missing),
            *(f"+ {name}  not declared" for name in extra),
            *([] if missing or extra else ["The declared variables are set, and no others."]),
        )


@env.command("sync")
@click.option("--prune", is_flag=True, help="Also remove undeclared variables.")
@_add_options
def sync(options: Options, target: str, stage: Stage, prune: bool) -> None:
    """Set every declared variable that has a value on this machine."""
    with Terminal(as_json=options.as_json) as terminal:
        session, store = _open_store(options, target, stage, terminal)
        values = select_app_variables(session.project.environment, session.environ)
        refuse_reserved_variables(session.hooks.target, values)
        declared = set(session.project.environment.names)
        extra = sorted(set(store.list()) - declared) if prune else []
        changes: list[Callable[[], EnvEffect | None]] = []
        changes += [lambda: store.set(values)] if values else []
        changes += [lambda: store.unset(extra)] if extra else []
        effects = _apply(session, stage, *changes)
        _answer_change(session, terminal, stage, effects, set=tuple(values), unset=tuple(extra))


def _open_store(
    options: Options, target: str, stage: Stage, terminal: Terminal
) -> tuple[Session, EnvStore]:
    session = options.platform_session(target, terminal, "env")
    target_stages = session.hooks.target.env_stages
    stages = session.hooks.target.kept_env_stages
    if stage in target_stages and stage not in stages:
        raise ConfigError(
            f"The target {session.choice.name!r} stores no variables for {stage}. Each deploy to "
            f"{stage} sends its own values.",
            f"Set them in the environment or .env, and run `mastra deploy {session.choice.name} "
            f"{'--prod' if stage == 'production' else '--preview'}`.",
        )
    if stage not in stages:
        raise ConfigError(
            f"mastra cannot set variables for {stage} on the target {session.choice.name!r}.",
            f"Deployments to {stage} use the variables of {stages[0]}."
            if stages
            else "Set the variables in the settings of the platform.",
        )
    return session, session.hooks.get_env_store(session.access, stage)


def _refuse_values(names: Sequence[str]) -> None:
    """Raise an error for an argument ``NAME=VALUE``, without the value."""
    for name, separator, _ in (each.partition("=") for each in names):
        if separator:
            raise ConfigError(
                f"The value of {name!r} is on the command line.",
                "Pass only the name. `mastra env set` reads the value from the environment, .env "
                "or --stdin.",
            )


def _read_value(session: Session, name: str, terminal: Terminal, *, stdin: bool) -> Secret:
    value = _read_standard_input() if stdin else session.environ.get(name, "")
    if not value and not stdin and sys.stdin.isatty():
        value = terminal.ask_secret(f"Value of {name}")
    if not value.strip():
        raise ConfigError(
            f"There is no value for {name!r}.", "Set it in the environment or .env, or use --stdin."
        )
    add_masked_values([value])
    return Secret(value)


def _read_standard_input() -> str:
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError:
        raise ConfigError(
            "The value on standard input is not UTF-8.", "Encode it as text, such as Base64."
        ) from None


def _apply(
    session: Session, stage: Stage, *changes: Callable[[], EnvEffect | None]
) -> list[EnvEffect | None]:
    """Change variables, and return when each change takes effect.

    The change is recorded before it is made. Even if the command is then killed, the next deploy
    sends the app again.
    """
    if not changes:
        return []
    project, name = session.project, session.choice.record_name
    try:
        recorded = [record_change(project, name, stage)]
    except ConfigError as error:
        session.report.warn(
            f"The change is not recorded in the project. {error.message}", error.hint
        )
        recorded = []
    with explain_interrupt(
        "Some of the variables may already be changed.", "Run the same command again."
    ):
        effects = [change() for change in changes]
    if "next-deploy" not in effects:
        with contextlib.suppress(ConfigError):  # the next deploy is not skipped then
            forget_changes(project, name, stage, recorded)
    return effects


def _answer_change(
    session: Session,
    terminal: Terminal,
    stage: Stage,
    effects: Sequence[EnvEffect | None],
    set: tuple[str, ...] = (),
    unset: tuple[str, ...] = (),
) -> None:
    effect = "next-deploy" if "next-deploy" in effects else next(iter(effects), None)
    option = "--prod" if stage == "production" else "--preview"
    command = f"mastra deploy {session.choice.name} {option}"
    terminal.answer(
        {"stage": stage, "set": list(set), "unset": list(unset), "counts": effect},
        *(f"set {name}" for name in set),
        *(f"unset {name}" for name in unset),
        *(
            [f"This change takes effect with the next deploy: {command}."]
            if effect == "next-deploy"
            else []
        ),
        *([] if set or unset else ["Nothing to do."]),
    )
