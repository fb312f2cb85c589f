"""One deploy with all that belongs around it: the same for every target."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from mastra_core.errors import DeploymentFailed, MastraError
from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Report
from mastra_deployer.pipeline.fingerprint import fingerprint_of
from mastra_deployer.pipeline.history import last_deployment, record_deployment
from mastra_deployer.pipeline.session import Session
from mastra_deployer.pipeline.smoke_test import Smoke, smoke, smoke_path

__all__ = ("Care", "Outcome", "deploy_bundle", "live_deployment")

_LOOKED_AT = 50  # deployments that are searched for the live one, or for an unchanged one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Care:
    """What to watch for.

    :param smoke: path to ask after the deploy; ``None`` for what the kind of app suggests.
    :param ask: whether to ask at all.
    :param patience: seconds until no good answer is a failure: a new address may have to wait for
        DNS, a certificate and a cold start.
    """

    smoke: str | None = None
    ask: bool = True
    patience: float = 45
    rollback_on_failure: bool = False
    skip_if_unchanged: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a deploy.

    :param skipped: whether nothing was sent, since the deployment is there unchanged.
    """

    deployment: Deployment
    skipped: bool = False
    smoke: Smoke | None = None


def deploy_bundle(session: Session, bundle: Bundle, request: DeployRequest, care: Care) -> Outcome:
    """Deploy, try what came of it, and promote a draft or go back.

    :raises DeploymentFailed: when it does not answer; the error says what users see now.
    """
    mark = fingerprint_of(bundle, request, session.access)
    request = dataclasses.replace(request, fingerprint=mark)
    if care.skip_if_unchanged and (same := _unchanged(session, request)):
        return Outcome(deployment=same, skipped=True)
    before = live_deployment(session) if care.rollback_on_failure else None
    with _told_when_interrupted(session.report):
        made = session.line.deploy(session.access, bundle, request, session.report)
    made = dataclasses.replace(made, fingerprint=made.fingerprint or mark)
    record_deployment(session.project, session.choice.name, made)
    if not request.wait:
        return Outcome(deployment=made)
    return _tried(session, bundle, made, care, before)


def live_deployment(session: Session) -> Deployment | None:
    """What users see in production, as the platform says, else as is known here."""
    if not session.line.can("deployments"):
        return last_deployment(session.project, session.choice.name, "production")
    for item in session.line.deployments(session.access, _LOOKED_AT):
        if item.live and item.environment == "production":
            return item
    return None


def _unchanged(session: Session, request: DeployRequest) -> Deployment | None:
    """The deployment that a deploy would make again."""
    if session.line.can("deployments"):
        there = session.line.deployments(session.access, _LOOKED_AT)
    else:
        last = last_deployment(session.project, session.choice.name, request.environment)
        there = [last] if last else []
    for item in there:
        if not _same_place(item, request):
            continue
        current = item.state == "ready" and item.fingerprint == request.fingerprint
        return item if current else None
    return None


def _same_place(item: Deployment, request: DeployRequest) -> bool:
    if item.environment != request.environment:
        return False
    if request.environment == "production":
        return item.live
    return not item.branch or item.branch == request.branch


def _tried(
    session: Session, bundle: Bundle, made: Deployment, care: Care, before: Deployment | None
) -> Outcome:
    path, failing = smoke_path(bundle.manifest.kind, care.smoke)
    try:
        answered = _answer(session, made, path, failing, care)
    except DeploymentFailed as error:
        raise _undone(session, made, error, before, wanted=care.rollback_on_failure) from None
    if not made.live and made.environment == "production" and made.state == "ready":
        session.report.step(f"Promoting {made.id}")
        made = session.line.promote(session.access, made.id, session.report)
        record_deployment(session.project, session.choice.name, made)
    return Outcome(deployment=made, smoke=answered)


def _answer(
    session: Session, made: Deployment, path: str, failing: int, care: Care
) -> Smoke | None:
    if not care.ask:
        return None
    if not made.reachable and not made.smoke_headers:
        session.report.note(
            f"{made.url} is protected, so it was not asked whether it answers.",
            f"Give the target what gets past its protection: mastra doctor {session.choice.name}.",
        )
        return None
    return smoke(made, path, failing, session.report, patience=care.patience)


def _undone(
    session: Session,
    made: Deployment,
    error: DeploymentFailed,
    before: Deployment | None,
    *,
    wanted: bool,
) -> DeploymentFailed:
    """The failure, with what users see now."""
    if made.environment == "preview":
        state = ""
    elif not made.live:
        state = " It was not promoted; users see what they saw before."
    elif not wanted:
        state = " Users see it; go back with: mastra rollback."
    else:
        state = _went_back(session, made, before)
    return DeploymentFailed(error.message + state, error.hint, deployment=made)


def _went_back(session: Session, made: Deployment, before: Deployment | None) -> str:
    if before is None or before.id == made.id:
        return " Users see it: there is no other deployment to go back to."
    session.report.step(f"Going back to {before.id}")
    try:
        back = session.line.rollback(session.access, before.id, session.report)
    except MastraError as error:
        return f" Users see it: going back to {before.id} failed: {error.message}"
    record_deployment(session.project, session.choice.name, back)
    return f" Users see {back.id} again, the one before."


@contextlib.contextmanager
def _told_when_interrupted(report: Report) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        report.note(
            "Interrupted. What users see is the deployment before, or this one whole.",
            "Run the same command again: what was sent is not sent twice.",
        )
        raise
