"""Deploy a bundle to any target, run a smoke test, and promote the deployment or roll it back."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager

from mastra_core.errors import ConfigError, DeploymentFailed, MastraError
from mastra_core.pipeline import Bundle, Deployment, DeployRequest
from mastra_deployer.pipeline.deployment_history import list_known_deployments, record_deployment
from mastra_deployer.pipeline.interrupt import UNCHANGED, explain_interrupt
from mastra_deployer.pipeline.session import Session
from mastra_deployer.pipeline.smoke_test import (
    SmokeCheck,
    SmokeResult,
    choose_smoke_check,
    run_smoke_test,
)
from mastra_deployer.pipeline.variable_changes import (
    forget_changes,
    has_changed_since,
    list_changes,
)

__all__ = ("DeployOptions", "DeployOutcome", "deploy_bundle", "find_live_deployment")

_SEARCHED_DEPLOYMENTS = 50  # deployments to search for the live one or an unchanged one
_DURING_UPLOAD = (
    "Users see either the previous deployment or the complete new one.",
    "Run the same command again. Files that were already sent are not sent again.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """Options of one deploy.

    :param smoke_path: path to request after the deploy; ``None`` for the default path of the app's
        kind.
    :param smoke_test: whether to run the smoke test.
    :param smoke_timeout: seconds until a missing or failing response counts as a failure. A new
        address may need time for DNS, a certificate and a cold start.
    :param rollback_on_failure: whether to roll back when the smoke test fails.
    :param skip_if_unchanged: whether to send nothing when the same deployment already exists.
    """

    smoke_path: str | None = None
    smoke_test: bool = True
    smoke_timeout: float = 45
    rollback_on_failure: bool = False
    skip_if_unchanged: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployOutcome:
    """Result of a deploy.

    :param deployment: the deployment that was made or found.
    :param skipped: whether nothing was sent because the deployment already exists.
    :param smoke: result of the smoke test; ``None`` if none ran.
    """

    deployment: Deployment
    skipped: bool = False
    smoke: SmokeResult | None = None


def deploy_bundle(
    session: Session, bundle: Bundle, request: DeployRequest, options: DeployOptions
) -> DeployOutcome:
    """Deploy a bundle, run its smoke test, and then promote a draft or roll back.

    :param session: project, target and settings.
    :param bundle: the bundle to deploy.
    :param request: environment, variables, options and fingerprint of the deploy.
    :param options: whether to skip an unchanged deploy, to run the smoke test and to roll back.
    :raises DeploymentFailed: if the smoke test fails; the error says which deployment is live.
    """
    with explain_interrupt(*UNCHANGED):
        if options.skip_if_unchanged and (existing := _find_unchanged(session, request)):
            return DeployOutcome(deployment=existing, skipped=True)
        previous = find_live_deployment(session) if options.rollback_on_failure else None
    name, stage = session.choice.record_name, request.environment
    changes = list_changes(session.project, name, stage)
    with explain_interrupt(*_DURING_UPLOAD):
        deployment = session.hooks.deploy(session.access, bundle, request, session.report)
    deployment = dataclasses.replace(
        deployment, fingerprint=deployment.fingerprint or request.fingerprint
    )
    with explain_interrupt(*_describe_unfinished(session, deployment), deployment):
        _record(session, deployment)
        outcome = _finish_deploy(session, bundle, request, deployment, options, previous)
    # A draft that stays unpublished does not bring the new values to users.
    if request.promote or stage == "preview" or outcome.deployment.live:
        with contextlib.suppress(ConfigError):  # the next deploy is not skipped then
            forget_changes(session.project, name, stage, changes)
    return outcome


def _record(session: Session, deployment: Deployment) -> None:
    record_deployment(session.project, session.choice.record_name, deployment, session.report)


def find_live_deployment(session: Session) -> Deployment | None:
    """Return the deployment that is live in production, or ``None``.

    The platform decides. If the platform cannot list deployments, the project's own history
    decides.

    :param session: project, target and settings.
    """
    for deployment in _list_deployments(session):
        if deployment.live and deployment.environment == "production":
            return deployment
    return None


def _list_deployments(session: Session) -> list[Deployment]:
    """Return the newest deployments: from the platform, or else from the project's history."""
    if session.hooks.has_hook("deployments"):
        return session.hooks.list_deployments(session.access, _SEARCHED_DEPLOYMENTS)
    return list_known_deployments(session.project, session.choice.record_name)


def _find_unchanged(session: Session, request: DeployRequest) -> Deployment | None:
    """Return the current deployment if this request would change nothing."""
    for deployment in _list_deployments(session):
        if not _has_same_destination(deployment, request):
            continue
        is_current = deployment.state == "ready" and deployment.fingerprint == request.fingerprint
        return deployment if is_current and not has_changed_since(session, deployment) else None
    return None


def _has_same_destination(deployment: Deployment, request: DeployRequest) -> bool:
    if deployment.environment != request.environment or not deployment.live:
        return False
    if request.environment == "production":
        return True
    return not deployment.branch or deployment.branch == request.branch


def _describe_unfinished(session: Session, deployment: Deployment) -> tuple[str, str]:
    """Return two sentences for Ctrl-C after a deploy: what users see now, and how to continue."""
    name, option = deployment.id, f"--target {session.choice.name}"
    if deployment.environment == "preview":
        return f"The preview {name} is deployed, but not tested.", f"It is at {deployment.url}."
    if not deployment.live:
        return (
            f"{name} is a draft, so users still see the previous deployment.",
            f"Run the same command again. Or publish the draft: mastra promote {name} {option}.",
        )
    can_roll_back = session.hooks.has_hook("rollback")
    rollback = f" Or roll back with: mastra rollback {option}." if can_roll_back else ""
    return (
        f"Users see {name}, but it is not tested.",
        f"To test it, run the same command again.{rollback}",
    )


def _finish_deploy(
    session: Session,
    bundle: Bundle,
    request: DeployRequest,
    deployment: Deployment,
    options: DeployOptions,
    previous: Deployment | None,
) -> DeployOutcome:
    """Run the smoke test if ``request.wait``, and promote a draft if ``request.promote``."""
    if not request.wait:
        return DeployOutcome(deployment=_publish_without_waiting(session, request, deployment))
    outcome = _test_deployment(session, bundle, deployment, options, previous)
    if request.promote and _is_ready_draft(deployment):
        return dataclasses.replace(outcome, deployment=_promote(session, deployment))
    return outcome


def _test_deployment(
    session: Session,
    bundle: Bundle,
    deployment: Deployment,
    options: DeployOptions,
    previous: Deployment | None,
) -> DeployOutcome:
    check = choose_smoke_check(bundle.manifest.kind, options.smoke_path)
    try:
        result = _run_smoke_test(session, deployment, check, options)
    except DeploymentFailed as error:
        raise _build_failure(
            session, deployment, error, previous, roll_back=options.rollback_on_failure
        ) from None
    return DeployOutcome(deployment=deployment, smoke=result)


def _publish_without_waiting(
    session: Session, request: DeployRequest, deployment: Deployment
) -> Deployment:
    """Promote a ready draft; raise an error for a draft that is still being built.

    :raises DeploymentFailed: for a draft that is still being built.
    """
    if not request.promote:
        return deployment
    if _is_ready_draft(deployment):
        return _promote(session, deployment)
    if deployment.draft and not deployment.live and deployment.environment == "production":
        raise DeploymentFailed(
            f"{deployment.id} is a draft that the platform is still building, so it is not live.",
            f"When the draft is ready, publish it: mastra promote {deployment.id} --target "
            f"{session.choice.name}. Or deploy without --no-wait.",
            deployment=deployment,
        )
    return deployment


def _is_ready_draft(deployment: Deployment) -> bool:
    is_draft = not deployment.live and deployment.environment == "production"
    return is_draft and deployment.state == "ready"


def _promote(session: Session, draft: Deployment) -> Deployment:
    session.report.step(f"Promoting {draft.id}")
    with _explain_move(session, "promote", draft.id, draft):
        live = session.hooks.promote(session.access, draft.id, session.report, draft.fingerprint)
        live = dataclasses.replace(live, fingerprint=live.fingerprint or draft.fingerprint)
        _record(session, live)
    return live


def _run_smoke_test(
    session: Session,
    deployment: Deployment,
    check: SmokeCheck,
    options: DeployOptions,
) -> SmokeResult | None:
    if not options.smoke_test:
        return None
    has_pass = deployment.smoke_headers or deployment.sign_smoke is not None
    if not deployment.reachable and not has_pass:
        session.report.note(
            f"{deployment.url} is protected, so the smoke test was skipped.",
            "Give the target the credentials for its protection. `mastra doctor "
            f"{session.choice.name}` shows what is missing.",
        )
        return None
    return run_smoke_test(deployment, check, session.report, timeout=options.smoke_timeout)


def _build_failure(
    session: Session,
    deployment: Deployment,
    error: DeploymentFailed,
    previous: Deployment | None,
    *,
    roll_back: bool,
) -> DeploymentFailed:
    """Roll back if requested; return an error that says which deployment is live."""
    if deployment.environment == "preview":
        state = ""
    elif not deployment.live:
        state = " It was not promoted; users still see the previous deployment."
    elif roll_back:
        state = _roll_back(session, deployment, previous)
    else:
        state = " Users see this deployment."
    return DeploymentFailed(
        error.message + state,
        " ".join([*_suggest_commands(session, deployment, roll_back=roll_back), error.hint]),
        deployment=deployment,
    )


def _suggest_commands(
    session: Session, deployment: Deployment, *, roll_back: bool
) -> Iterator[str]:
    """Yield the supported commands that help after a failed smoke test."""
    option = f"--target {session.choice.name}"
    if session.hooks.has_hook("logs"):
        yield f"Read the app's log: mastra logs {option}."
    is_live = deployment.live and deployment.environment == "production"
    if is_live and not roll_back and session.hooks.has_hook("rollback"):
        yield f"Roll back with: mastra rollback {option}."


def _roll_back(session: Session, deployment: Deployment, previous: Deployment | None) -> str:
    if previous is None or previous.id == deployment.id:
        return " Users see this deployment, because there is no other deployment to roll back to."
    session.report.step(f"Rolling back to {previous.id}")
    with _explain_move(session, "rollback", previous.id, deployment):
        try:
            restored = session.hooks.rollback(session.access, previous.id, session.report)
        except MastraError as error:
            return (
                f" Users see this deployment, because the rollback to {previous.id} failed: "
                f"{error.message}"
            )
        _record(session, restored)
    return f" Users see the previous deployment {restored.id} again."


def _explain_move(
    session: Session, verb: str, destination: str, deployment: Deployment
) -> AbstractContextManager[None]:
    """Return a context manager that explains Ctrl-C while users are moved to ``destination``."""
    command = f"mastra {verb} {destination} --target {session.choice.name}"
    return explain_interrupt(
        f"Users see either {destination} or the deployment that was live until now.",
        f"To make {destination} live: {command}.",
        deployment,
    )
