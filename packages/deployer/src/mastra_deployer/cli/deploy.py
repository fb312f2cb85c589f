"""``mastra deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from mastra_core.errors import ConfigError
from mastra_core.line import Bundle, Deployment, DeployRequest, Environment, Plan
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal, human_bytes
from mastra_deployer.environment import app_values
from mastra_deployer.git import git_state
from mastra_deployer.history import last_deployment, record_deployment
from mastra_deployer.session import Session, refuse
from mastra_deployer.settings import credentials_of, without_secrets

__all__ = ("deploy",)


@click.command()
@click.argument("target", default="")
@click.option("--prod", "stage", flag_value="production", help="Deploy to production.")
@click.option("--preview", "stage", flag_value="preview", help="Deploy a preview.")
@click.option("--prebuilt", type=click.Path(path_type=Path), help="Deploy this bundle as it is.")
@click.option("--message", default="", help="A note kept with the deployment.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@build_options
def deploy(
    options: Options,
    target: str,
    stage: str | None,
    prebuilt: Path | None,
    message: str,
    dry_run: bool,
) -> None:
    """Bundle the app and put it on TARGET: a preview, where the target has them."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session(target, terminal, resolve=True, sources=prebuilt is None)
        ready = _prebuilt(session, prebuilt) if prebuilt else None
        request = _request(session, _declared(session, ready), stage, message)
        terminal.step(f"Deploying to {request.environment} on {session.choice.name}")
        bundle = ready or session.bundle()
        if dry_run:
            return _show_plan(session, bundle, request, terminal)
        deployment = session.line.deploy(
            bundle, session.settings, _credentials(session), request, terminal
        )
        record_deployment(session.project, session.choice.name, deployment)
        return terminal.answer(_shown(deployment), *_lines(deployment))


def _declared(session: Session, ready: Bundle | None) -> Environment:
    """What the app declares: a finished bundle says it itself."""
    if ready is None:
        return session.project.environment
    return Environment(required=ready.manifest.required, optional=ready.manifest.optional)


def _request(
    session: Session, declared: Environment, stage: str | None, message: str
) -> DeployRequest:
    target = session.line.target
    if not session.line.can("deploy"):
        raise ConfigError(
            f"The target {target.name!r} cannot deploy.",
            "Run what `mastra build` makes, or name another target: mastra targets.",
        )
    if stage is None and not target.previews:
        raise ConfigError(
            f"The target {target.name!r} has no previews.", "Pass --prod to deploy to production."
        )
    if stage == "preview" and not target.previews:
        raise ConfigError(f"The target {target.name!r} has no previews.", "Use --prod.")
    environment: Literal["preview", "production"] = (
        "production" if stage == "production" else "preview"
    )
    git = git_state(session.project.root)
    return DeployRequest(
        environment=environment,
        branch=git.branch if git else "",
        message=message,
        git=git,
        env=app_values(declared, session.values),
        previous=last_deployment(session.project, session.choice.name, environment),
    )


def _prebuilt(session: Session, directory: Path) -> Bundle:
    bundle = session.line.load(directory.absolute())
    refuse(session.line.inspect(bundle, without_secrets(session.settings)), session.report)
    return bundle


def _credentials(session: Session) -> dict[str, Any]:
    return credentials_of(session.line.target.credentials, session.settings, session.values)


def _show_plan(
    session: Session, bundle: Bundle, request: DeployRequest, terminal: Terminal
) -> None:
    if session.line.can("plan"):
        plan = session.line.plan(bundle, session.settings, _credentials(session), request)
    else:
        plan = Plan(environment=tuple(request.env), upload=sum(bundle.manifest.sizes.values()))
    told = {"creates": plan.creates, "changes": plan.changes, "environment": plan.environment}
    terminal.answer(
        {"plan": {**told, "upload": plan.upload, "present": plan.present}},
        *(f"create {item}" for item in plan.creates),
        *(f"change {item}" for item in plan.changes),
        *(f"set {name}" for name in plan.environment),
        f"send {human_bytes(plan.upload)}; {human_bytes(plan.present)} there already",
    )


def _shown(deployment: Deployment) -> dict[str, Any]:
    return {
        "deployment": {
            "target": deployment.target,
            "id": deployment.id,
            "url": deployment.url,
            "environment": deployment.environment,
            "created": deployment.created.isoformat(),
            "live": deployment.live,
        }
    }


def _lines(deployment: Deployment) -> list[str]:
    state = "live" if deployment.live else "a draft"
    return [
        f"{deployment.url} is {state} ({deployment.environment}, {deployment.id})",
        *(f"  {line}" for line in deployment.next),
    ]
