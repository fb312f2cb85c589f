"""``mastra doctor``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import click

from mastra_core.errors import ConfigError, ConsentError, DeployError, MastraError
from mastra_core.pipeline import Problem
from mastra_deployer.checks.value_problems import check_values
from mastra_deployer.cli.options import Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.masking import mask
from mastra_deployer.output.wrap import get_terminal_width, wrap_message
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.session import Session

__all__ = ("doctor",)


@click.command()
@click.argument("target", default="")
@target_options
def doctor(options: Options, target: str) -> None:
    """Check whether a deploy to TARGET would succeed, without building anything.

    The command checks the settings, the credentials and the app's variables, on this machine and on
    the platform.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal)
        if not session.hooks.has_hook("doctor"):
            session.hooks.require_hook("deploy")
        terminal.step(f"Checking {session.choice.name}")
        problems = [
            dataclasses.replace(item, message=mask(item.message), hint=mask(item.hint))
            for item in _collect_problems(session)
        ]
        data = [
            {"severity": item.severity, "message": item.message, "hint": item.hint}
            for item in problems
        ]
        if _has_errors(problems):
            raise DeployError(*_join_errors(problems))
        width = get_terminal_width(sys.stdout)
        lines = [line for item in problems for line in _format_problem(item, width)]
        ready = f"A deploy to {session.choice.name} can begin."
        terminal.answer({"target": session.choice.name, "problems": data}, *lines, ready)


def _collect_problems(session: Session) -> list[Problem]:
    """Return all problems of the app, of the credentials and of the platform.

    If the check of the platform fails and there are no other errors, the function raises its error.
    """
    local = list(_check_locally(session))
    absent = list(_check_credentials(session))
    try:
        found = _check_platform(session)
        # A deployer that reaches its platform has the credentials that it needs.
        is_accepted = session.hooks.has_hook("doctor") and not _has_errors(found)
        return [*([] if is_accepted else absent), *local, *found]
    except ConsentError:
        raise
    except MastraError as error:
        if not _has_errors([*absent, *local]):
            raise
        return [*absent, *local, Problem(message=error.message, hint=error.hint)]


def _has_errors(problems: list[Problem]) -> bool:
    return any(item.severity == "error" for item in problems)


def _check_credentials(session: Session) -> Iterator[Problem]:
    target, access = session.hooks.target, session.access
    required = [name for name in target.credentials if name not in target.optional_credentials]
    absent = [name for name in required if name not in access.credentials]
    if absent:
        # The deployer's own doctor knows whether the deploy can do without them.
        uncertain = bool(access.credentials) or session.hooks.has_hook("doctor")
        yield Problem(
            message=f"There is no value for {', '.join(absent)}.",
            hint="Set the value in the environment or in .env.",
            severity="warning" if uncertain else "error",
        )


def _check_locally(session: Session) -> Iterator[Problem]:
    target = session.hooks.target
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


def _format_problem(problem: Problem, width: int) -> list[str]:
    label = f"{problem.severity}: "
    text = wrap_message(problem.message, problem.hint, width, label=label)
    return f"{label}{text}".split("\n")


def _join_errors(problems: list[Problem]) -> tuple[str, str]:
    errors = [item for item in problems if item.severity == "error"]
    return "\n".join(item.message for item in errors), "\n".join(
        item.hint for item in errors if item.hint
    )
