"""``mastra deploy``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from mastra_core.errors import ConfigError, DeployError
from mastra_core.pipeline import Bundle, DeployRequest, Environment, Stage
from mastra_deployer.checks.value_problems import value_problems
from mastra_deployer.cli.deployment import lines, shown
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.plan import answer_plan
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.app_variables import app_values
from mastra_deployer.pipeline.deploy import Care, Outcome, deploy_bundle
from mastra_deployer.pipeline.history import last_deployment
from mastra_deployer.pipeline.session import Session
from mastra_deployer.project.git import git_state
from mastra_deployer.project.settings import without_secrets

__all__ = ("deploy",)


@click.command()
@click.argument("target", default="")
@click.option("--prod", "stage", flag_value="production", help="Deploy to production.")
@click.option("--preview", "stage", flag_value="preview", help="Deploy a preview.")
@click.option("--branch", default="", help="Preview of this branch, not the checked-out one.")
@click.option("--prebuilt", type=click.Path(path_type=Path), help="Deploy this bundle as it is.")
@click.option("--message", default="", help="A note kept with the deployment.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option("--skip-if-unchanged", is_flag=True, help="Do nothing where it is there already.")
@click.option("--no-wait", is_flag=True, help="Return once the platform has it all.")
@click.option("--smoke", metavar="PATH", help="What to ask it for afterwards; /health.")
@click.option("--no-smoke", is_flag=True, help="Do not ask whether it answers.")
@click.option("--smoke-timeout", type=float, default=45, help="Seconds it may take to answer.")
@click.option("--rollback-on-failure", is_flag=True, help="Go back when it does not answer.")
@build_options
def deploy(
    options: Options,
    target: str,
    stage: Stage | None,
    branch: str,
    prebuilt: Path | None,
    message: str,
    dry_run: bool,
    skip_if_unchanged: bool,
    no_wait: bool,
    smoke: str | None,
    no_smoke: bool,
    smoke_timeout: float,
    rollback_on_failure: bool,
) -> None:
    """Bundle the app and put it on TARGET: a preview, where the target has them.

    Afterwards it is asked whether it answers; a draft that does is promoted.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session(target, terminal, resolve=True, sources=prebuilt is None)
        stage = _stage(session, stage, branch)
        ready = _prebuilt(session, prebuilt) if prebuilt else None
        declared = _declared(session, ready)
        request = _request(session, declared, stage, branch)
        session.heed(value_problems(session.line.target, declared, session.values), DeployError)
        request = dataclasses.replace(request, message=message, wait=not no_wait)
        terminal.step(f"Deploying to {stage} on {session.choice.name}")
        _ask_the_doctor(session)
        bundle = ready or session.bundle()
        if dry_run:
            return answer_plan(session, bundle, request, terminal)
        care = Care(
            smoke=smoke,
            ask=not no_smoke,
            patience=smoke_timeout,
            rollback_on_failure=rollback_on_failure,
            skip_if_unchanged=skip_if_unchanged,
        )
        return _answer(deploy_bundle(session, bundle, request, care), terminal)


def _stage(session: Session, stage: Stage | None, branch: str) -> Stage:
    target = session.line.target
    if not session.line.can("deploy"):
        raise ConfigError(
            f"The target {target.name!r} cannot deploy.",
            "Run what `mastra build` makes, or name another target: mastra targets.",
        )
    if branch and stage == "production":
        raise ConfigError(
            f"--branch {branch!r} and --prod exclude each other.",
            "A branch is a preview; production has one place.",
        )
    if not target.previews and (stage == "preview" or branch):
        raise ConfigError(f"The target {target.name!r} has no previews.", "Use --prod.")
    if stage is None and not target.previews:
        raise ConfigError(
            f"The target {target.name!r} has no previews.", "Pass --prod to deploy to production."
        )
    return stage or "preview"


def _declared(session: Session, ready: Bundle | None) -> Environment:
    """What the app declares: a finished bundle says it itself."""
    if ready is None:
        return session.project.environment
    return Environment(required=ready.manifest.required, optional=ready.manifest.optional)


def _request(session: Session, declared: Environment, stage: Stage, branch: str) -> DeployRequest:
    git = git_state(session.project.root)
    stored = session.line.target.stores_env
    return DeployRequest(
        environment=stage,
        branch=branch or (git.branch if git else ""),
        git=git,
        env=app_values(declared, session.values, session.project) if stored else {},
        previous=last_deployment(session.project, session.choice.name, stage),
    )


def _prebuilt(session: Session, directory: Path) -> Bundle:
    bundle = session.line.load(directory.absolute())
    session.heed(session.line.inspect(bundle, without_secrets(session.settings)))
    return bundle


def _ask_the_doctor(session: Session) -> None:
    """A wrong token is known before the build, not after."""
    if session.line.can("doctor"):
        session.heed(session.line.doctor(session.access), DeployError)


def _answer(outcome: Outcome, terminal: Terminal) -> None:
    smoke = dataclasses.asdict(outcome.smoke) if outcome.smoke else None
    told: dict[str, Any] = {"skipped": outcome.skipped, "smoke": smoke}
    first = ["Nothing has changed; nothing was sent."] if outcome.skipped else []
    last = [f"  It answers {outcome.smoke.status} at {outcome.smoke.url}"] if outcome.smoke else []
    made = outcome.deployment
    terminal.answer({"deployment": shown(made), **told}, *first, *lines(made), *last)
