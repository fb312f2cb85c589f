"""``mastra doctor``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import click

from mastra_core.errors import ConfigError, ConsentError, DeployError, MastraError
from mastra_core.pipeline import Problem
from mastra_deployer.checks.value_problems import check_values
from mastra_deployer.cli.options import Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.masking import mask
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.session import Session

__all__ = ("doctor",)


@click.command()
@click.argument("target", default="")
@target_options
def doctor(options: Options, target: str) -> None:
    """Check whether a deploy to TARGET would work, without building anything.

    Checks settings, credentials and the app's variables here, then on the platform.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal)
        terminal.step(f"Checking {session.choice.name}")
        problems = [
            dataclasses.replace(item, message=mask(item.message), hint=mask(item.hint))
            for item in _collect_problems(session)
        ]
        data = [
            {"severity": item.severity, "message": item.message, "hint": item.hint}
            for item in problems
        ]
        if any(item.severity == "error" for item in problems):
            raise DeployError(*_join_errors(problems))
        texts = (f"{item.severity}: {item.message} {item.hint}" for item in problems)
        lines = [" ".join(text.split("\n")) for text in texts]
        ready = f"A deploy to {session.choice.name} can begin."
        terminal.answer({"target": session.choice.name, "problems": data}, *lines, ready)


def _collect_problems(session: Session) -> list[Problem]:
    """Return all problems; the platform's error is raised where it is the only error."""
    local = list(_check_locally(session))
    try:
        return [*local, *_check_platform(session)]
    except ConsentError:
        raise
    except MastraError as error:
        if not any(item.severity == "error" for item in local):
            raise
        return [*local, Problem(message=error.message, hint=error.hint)]


def _check_locally(session: Session) -> Iterator[Problem]:
    target, access = session.hooks.target, session.access
    required = [name for name in target.credentials if name not in target.optional_credentials]
    absent = [name for name in required if name not in access.credentials]
    if absent:
        # The deployer's own doctor knows whether the deploy can do without them.
        uncertain = bool(access.credentials) or session.hooks.has_hook("doctor")
        yield Problem(
            message=f"No value for {', '.join(absent)}.",
            hint="Set it in the environment or in .env.",
            severity="warning" if uncertain else "error",
        )
    if target.stores_env:
        try:
            select_app_variables(session.project.environment, session.environ, session.project)
        except ConfigError as error:
            yield Problem(message=error.message, hint=error.hint)
    yield from check_values(target, session.project.environment, session.environ)


def _check_platform(session: Session) -> list[Problem]:
    if session.hooks.has_hook("doctor"):
        return session.hooks.diagnose(session.access)
    message = f"The deployer of {session.choice.name} cannot check its platform."
    return [Problem(message=message, severity="warning")]


def _join_errors(problems: list[Problem]) -> tuple[str, str]:
    errors = [item for item in problems if item.severity == "error"]
    return "\n".join(item.message for item in errors), "\n".join(
        item.hint for item in errors if item.hint
    )
