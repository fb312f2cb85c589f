"""``mastra check``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from mastra_core.pipeline import Bundle
from mastra_deployer.checks.value_problems import check_values
from mastra_deployer.cli.build import format_lines, to_json
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.directories import convert_project_errors, ensure_local_directory
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.make_bundle import make_bundle
from mastra_deployer.pipeline.report_problems import raise_for_errors
from mastra_deployer.pipeline.session import Session
from mastra_deployer.project.settings import remove_secrets

__all__ = ("check",)


@click.command()
@click.argument("target", default="server")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@build_options
def check(options: Options, target: str, strict: bool) -> None:
    """Build for TARGET, start the app in isolation, and run all checks.

    The command deploys nothing, and leaves an existing bundle unchanged.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session(target, terminal)
        session = dataclasses.replace(session, notes=True, strict=strict)
        _check_values(session)
        bundle = _create_bundle(session)
        if strict:
            _refuse_warnings(session)
        ready = f"{session.project.entry} is ready for {session.choice.name}."
        data = to_json(bundle)
        del data["bundle"]  # the directory, which no longer exists
        data["problems"] = [dataclasses.asdict(item) for item in session.problems]
        terminal.answer(data, *format_lines(bundle)[1:], ready)


def _check_values(session: Session) -> None:
    declared, target = session.project.environment, session.hooks.target
    if target.stores_env or not target.remote:
        select_app_variables(declared, session.environ, session.project)
    session.report_problems(check_values(target, declared, session.environ))


def _refuse_warnings(session: Session) -> None:
    warnings = [item for item in session.problems if item.severity == "warning"]
    raise_for_errors(
        [dataclasses.replace(item, severity="error") for item in warnings], session.report
    )


def _create_bundle(session: Session) -> Bundle:
    """Create a bundle in a temporary directory, and call the deployer's ``verify`` hook, if any."""
    with (
        convert_project_errors(session.project.root),
        temporary_directory(ensure_local_directory(session.project), "check-") as directory,
    ):
        bundle = make_bundle(session, Path(directory) / "checked", reuse=False)
        settings = remove_secrets(session.settings)
        session.report_problems(session.hooks.verify(bundle, settings, session.report))
        return bundle
