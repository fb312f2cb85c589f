"""``mastra deploy``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from mastra_core.arguments.number_checks import check_seconds
from mastra_core.errors import ConfigError, DeployError
from mastra_core.json_repair import repair_text
from mastra_core.pipeline import Bundle, DeployRequest, Environment, Stage
from mastra_deployer.checks.reserved_variables import refuse_reserved_variables
from mastra_deployer.checks.value_problems import check_values
from mastra_deployer.cli.deployment import format_lines, to_json
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.plan import answer_plan
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.app_variables import select_app_variables
from mastra_deployer.pipeline.deploy import DeployOptions, DeployOutcome, deploy_bundle
from mastra_deployer.pipeline.deployment_history import find_last_deployment
from mastra_deployer.pipeline.fingerprint import compute_deploy_fingerprint
from mastra_deployer.pipeline.interrupt import UNCHANGED, explain_interrupt
from mastra_deployer.pipeline.make_bundle import make_bundle
from mastra_deployer.pipeline.session import Session
from mastra_deployer.project.git import read_git_state
from mastra_deployer.project.settings import remove_secrets

__all__ = ("deploy",)


@click.command()
@click.argument("target", default="")
@click.option("--prod", is_flag=True, help="Deploy to production.")
@click.option("--preview", is_flag=True, help="Deploy a preview.")
@click.option("--branch", default="", help="Deploy the preview of this branch.")
@click.option("--prebuilt", type=click.Path(path_type=Path), help="Deploy this bundle unchanged.")
@click.option("--message", default="", help="A note stored with the deployment.")
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option("--skip-if-unchanged", is_flag=True, help="Do nothing if the same app is live.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the platform after the upload.")
@click.option("--no-promote", is_flag=True, help="Do not promote a draft.")
@click.option(
    "--smoke",
    metavar="PATH",
    help="Path of the smoke test; default: /health for a Mastra app, and / for any other app.",
)
@click.option("--no-smoke", is_flag=True, help="Skip the smoke test.")
@click.option(
    "--smoke-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=45,
    show_default=True,
    help="Time limit of the smoke test in seconds.",
)
@click.option("--rollback-on-failure", is_flag=True, help="Roll back if the smoke test fails.")
@build_options
def deploy(
    options: Options,
    target: str,
    prod: bool,
    preview: bool,
    branch: str,
    prebuilt: Path | None,
    message: str,
    dry_run: bool,
    skip_if_unchanged: bool,
    no_wait: bool,
    no_promote: bool,
    smoke: str | None,
    no_smoke: bool,
    smoke_timeout: float,
    rollback_on_failure: bool,
) -> None:
    """Bundle the app and deploy it to TARGET.

    Without --prod, the deployment is a preview. A target without previews requires --prod. After
    the deploy, a smoke test sends a request to the deployment. If the test succeeds, a draft is
    promoted.
    """
    with Terminal(as_json=options.as_json) as terminal:
        with explain_interrupt(*UNCHANGED):
            check_seconds(f"--smoke-timeout {smoke_timeout}", smoke_timeout)
            session = options.session(target, terminal, resolve=True, sources=prebuilt is None)
            stage = _choose_stage(session, prod, preview, branch)
            ready = _load_prebuilt(session, prebuilt) if prebuilt else None
            declared = _get_environment(session, ready)
            request = dataclasses.replace(
                _build_request(session, declared, stage, branch),
                message=repair_text(message),
                wait=not no_wait,
                promote=not no_promote,
            )
            session.report_problems(
                check_values(session.hooks.target, declared, session.environ), DeployError
            )
            session.host_policy.check_addresses()
            terminal.step(f"Deploying to {stage} on {session.choice.name}")
            _run_doctor(session)
            bundle = ready or make_bundle(session)
            fingerprint = compute_deploy_fingerprint(bundle, request, session.access)
            request = dataclasses.replace(request, fingerprint=fingerprint)
            if dry_run:
                return answer_plan(session, bundle, request, terminal)
        deploy_options = DeployOptions(
            smoke_path=smoke,
            smoke_test=not no_smoke,
            smoke_timeout=smoke_timeout,
            rollback_on_failure=rollback_on_failure,
            skip_if_unchanged=skip_if_unchanged,
        )
        return _answer(session, deploy_bundle(session, bundle, request, deploy_options), terminal)


def _choose_stage(session: Session, prod: bool, preview: bool, branch: str) -> Stage:
    target = session.hooks.target
    if not session.hooks.has_hook("deploy"):
        raise ConfigError(
            f"The target {target.name!r} cannot deploy.",
            "Run the bundle that `mastra build` writes. Or name another target: `mastra targets` "
            "lists all targets.",
        )
    if prod and preview:
        raise ConfigError(
            "--prod and --preview cannot be combined.", "Remove one of the two options."
        )
    if branch and prod:
        raise ConfigError(
            f"--branch {branch!r} and --prod cannot be combined.",
            "Remove one of the two options. A branch is always deployed as a preview.",
        )
    if not target.previews and (preview or branch):
        raise ConfigError(f"The target {target.name!r} has no previews.", "Use --prod.")
    if not target.previews and not prod:
        raise ConfigError(
            f"The target {target.name!r} has no previews.", "Pass --prod to deploy to production."
        )
    return "production" if prod else "preview"


def _get_environment(session: Session, ready: Bundle | None) -> Environment:
    """Return the variables that the app, or the manifest of a prebuilt bundle, declares."""
    if ready is None:
        return session.project.environment
    return Environment(required=ready.manifest.required, optional=ready.manifest.optional)


def _build_request(
    session: Session, environment: Environment, stage: Stage, branch: str
) -> DeployRequest:
    git = read_git_state(session.project.root)
    target = session.hooks.target
    stored = target.stores_env and stage in target.env_stages
    return DeployRequest(
        environment=stage,
        branch=repair_text(branch) or (git.branch if git else ""),
        git=git,
        env=select_app_variables(environment, session.environ, session.project) if stored else {},
        previous=find_last_deployment(session.project, session.choice.record_name, stage),
    )


def _load_prebuilt(session: Session, directory: Path) -> Bundle:
    bundle = session.hooks.load_bundle(directory.absolute())
    manifest = bundle.manifest
    # The bundle may be older than the deployer that is installed now.
    refuse_reserved_variables(session.hooks.target, (*manifest.required, *manifest.optional))
    session.report_problems(session.hooks.inspect(bundle, remove_secrets(session.settings)))
    return bundle


def _run_doctor(session: Session) -> None:
    """Check the platform before the build, so that a wrong token is reported early."""
    if session.hooks.has_hook("doctor"):
        session.report_problems(session.hooks.diagnose(session.access), DeployError)


def _answer(session: Session, outcome: DeployOutcome, terminal: Terminal) -> None:
    smoke = dataclasses.asdict(outcome.smoke) if outcome.smoke else None
    data: dict[str, Any] = {"skipped": outcome.skipped, "smoke": smoke}
    first = ["Nothing has changed; nothing was sent."] if outcome.skipped else []
    last: list[str] = []
    if outcome.smoke:
        last.append(f"  The deployment responds with {outcome.smoke.status} at {outcome.smoke.url}")
    deployment = outcome.deployment
    if not deployment.live and deployment.environment == "production":
        if deployment.draft or deployment.state == "ready":
            command = f"mastra promote {deployment.id} --target {session.choice.name}"
            last.append(f"  Publish it with: {command}")
        else:  # the platform publishes it without this machine
            last.append(
                f"  It becomes live when it is ready: mastra deployments {session.choice.name}"
            )
    lines = [*first, *format_lines(deployment), *last]
    terminal.answer({"deployment": to_json(deployment), **data}, *lines)
