"""Check whether a deploy would succeed, by only reading from Vercel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import DeployError
from mastra_core.pipeline import Problem
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.resources.custom_environment import get_environment_id
from mastra_deployer_vercel.resources.project import find_project, get_billing_plan, is_reachable
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("diagnose",)

_MAX_DURATION = {"hobby": 300, "pro": 800, "enterprise": 1800}  # seconds of max_duration


def diagnose(settings: VercelDeployer, credentials: Mapping[str, Secret]) -> Iterator[Problem]:
    """Check the token and its team, the limits of the plan, and the settings of the project.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the problems found.
    :raises AuthError: when the token is missing or rejected.
    """
    with open_api(settings, credentials) as client:
        plan = get_billing_plan(client, settings)
        yield from _check_plan(settings, plan)
        project = find_project(client, settings)
        if project is not None:
            yield from _check_custom_environment(client, settings)
            yield from _check_protection(project, settings)


def _check_plan(settings: VercelDeployer, plan: str) -> Iterator[Problem]:
    longest = _MAX_DURATION.get(plan)
    if longest and settings.max_duration and settings.max_duration > longest:
        yield Problem(
            message=f"max_duration={settings.max_duration} exceeds {longest} seconds, the limit "
            f"of the plan {plan!r}.",
            hint=f"Set max_duration to {longest} or less, or use a larger plan.",
        )
    if plan == "hobby" and settings.custom_environment:
        yield Problem(
            message="The plan 'hobby' has no custom environments.",
            hint="Remove custom_environment, or use a larger plan.",
        )


def _check_custom_environment(client: httpx.Client, settings: VercelDeployer) -> Iterator[Problem]:
    if settings.custom_environment:
        try:
            get_environment_id(client, settings)
        except DeployError as error:
            yield Problem(message=error.message, hint=error.hint)


def _check_protection(project: dict[str, Any], settings: VercelDeployer) -> Iterator[Problem]:
    if not settings.bypass and not is_reachable(project, production=not settings.staged):
        yield Problem(
            message="The project's protection blocks requests to its production deployments, "
            "so their smoke test is skipped.",
            hint="Create a secret under Deployment Protection, Protection Bypass for Automation, "
            "and set VERCEL_AUTOMATION_BYPASS_SECRET.",
            severity="warning",
        )
