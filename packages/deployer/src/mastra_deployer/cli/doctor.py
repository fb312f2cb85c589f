"""``mastra doctor``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mastra_core.errors import ConfigError, DeployError, MastraError
from mastra_core.pipeline import Problem
from mastra_deployer.checks.value_problems import value_problems
from mastra_deployer.cli.options import Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.app_variables import app_values
from mastra_deployer.pipeline.session import Session

__all__ = ("doctor",)


@click.command()
@click.argument("target", default="")
@target_options
def doctor(options: Options, target: str) -> None:
    """Find out whether a deploy to TARGET would work, without building anything.

    Settings, credentials and the app's variables, then whatever the platform says of them.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal)
        terminal.step(f"Asking {session.choice.name}")
        found = _found(session)
        told = [
            {"severity": item.severity, "message": item.message, "hint": item.hint}
            for item in found
        ]
        if any(item.severity == "error" for item in found):
            raise DeployError(*_sentence(found))
        lines = [f"{item.severity}: {item.message} {item.hint}" for item in found]
        good = f"A deploy to {session.choice.name} can begin."
        terminal.answer({"target": session.choice.name, "problems": told}, *lines, good)


def _found(session: Session) -> list[Problem]:
    """All problems; an error of the platform keeps its kind where it is the only one."""
    here = list(_here(session))
    try:
        return [*here, *_there(session)]
    except MastraError as error:
        if not any(item.severity == "error" for item in here):
            raise
        return [*here, Problem(message=error.message, hint=error.hint)]


def _here(session: Session) -> Iterator[Problem]:
    target, access = session.line.target, session.access
    absent = [name for name in target.credentials if name not in access.credentials]
    if absent:
        # The deployer knows which of them it can do without.
        doubtful = bool(access.credentials) or session.line.can("doctor")
        yield Problem(
            message=f"No value for {', '.join(absent)}.",
            hint="Set it in the environment or in .env.",
            severity="warning" if doubtful else "error",
        )
    if target.stores_env:
        try:
            app_values(session.project.environment, session.values, session.project)
        except ConfigError as error:
            yield Problem(message=error.message, hint=error.hint)
    yield from value_problems(target, session.project.environment, session.values)


def _there(session: Session) -> list[Problem]:
    if session.line.can("doctor"):
        return session.line.doctor(session.access)
    told = f"The deployer of {session.choice.name} cannot ask its platform."
    return [Problem(message=told, severity="warning")]


def _sentence(found: list[Problem]) -> tuple[str, str]:
    errors = [item for item in found if item.severity == "error"]
    return "\n".join(item.message for item in errors), "\n".join(
        item.hint for item in errors if item.hint
    )
