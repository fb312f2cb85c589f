"""Check settings, builds and bundles against Vercel's limits, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mastra_core.pipeline import Build, Bundle, Problem
from mastra_deployer_vercel.bundle.build_output import FUNCTION
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("PYTHONS", "SIZE", "check_build", "inspect_bundle")

PYTHONS = ("3.12", "3.13", "3.14")
SIZE = 225_000_000  # bytes of an unpacked function; the limit of Vercel's own builder
_MAX_DURATION = 1800  # seconds; the limit of the largest plan
_PROJECT = re.compile(r"[a-z0-9._-]{1,100}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REGION = re.compile(r"[a-z]{3}\d")
_DAY = 86_400  # seconds
_MEMORY = (128, 4096)  # megabytes


def check_build(build: Build, settings: VercelDeployer) -> Iterator[Problem]:
    """Check the settings, the names of variables, and the app.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    yield from _check_settings(settings)
    yield from _check_crons(settings)
    for name in (*build.manifest.required, *build.manifest.optional):
        if not _NAME.fullmatch(name):
            yield Problem(
                message=f"Vercel does not accept an environment variable named {name!r}.",
                hint="Start the name with a letter; use letters, digits and '_'.",
            )


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Check the layout of a bundle, prebuilt or not.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    function = bundle.directory / FUNCTION
    if not (function / ".vc-config.json").is_file():
        yield Problem(
            message=f"The bundle has no {FUNCTION}.", hint="Bundle again: mastra bundle vercel."
        )


def _check_settings(settings: VercelDeployer) -> Iterator[Problem]:
    if not _PROJECT.fullmatch(settings.project_name) or "---" in settings.project_name:
        yield Problem(
            message=f"{settings.project_name!r} is not a valid name for a Vercel project.",
            hint="Use at most 100 characters: lower-case letters, digits, '.', '_' and "
            "'-', without '---'.",
        )
    if settings.max_duration is not None and not 1 <= settings.max_duration <= _MAX_DURATION:
        yield Problem(
            message=f"max_duration={settings.max_duration} is out of range.",
            hint=f"Use 1 to {_MAX_DURATION} seconds. The plan Hobby allows 300, and Pro "
            "allows 800.",
        )
    low, high = _MEMORY
    if settings.memory is not None and not low <= settings.memory <= high:
        yield Problem(
            message=f"memory={settings.memory} is out of range.",
            hint=f"Use {low} to {high} megabytes.",
        )
    if not 1 <= settings.timeout <= _DAY:
        yield Problem(
            message=f"timeout={settings.timeout} is out of range.",
            hint=f"Use 1 to {_DAY} seconds.",
        )
    for region in settings.regions:
        if not _REGION.fullmatch(region):
            yield Problem(
                message=f"{region!r} is not a region of Vercel.",
                hint="Use region ids such as iad1 or fra1.",
            )
    from mastra_deployer.kit import check_project_path

    if problem := check_project_path(settings.static, "static"):
        yield problem


def _check_crons(settings: VercelDeployer) -> Iterator[Problem]:
    from mastra_deployer.kit import find_cron_problem

    for cron in settings.crons:
        path, schedule = cron.get("path", ""), cron.get("schedule", "")
        problem = find_cron_problem(schedule, names=False)
        if not path.startswith("/"):
            problem = f"{path!r} is not a path"
        if problem:
            yield Problem(
                message=f"The cron {dict(cron)!r} is invalid: {problem}.",
                hint='Write {"path": "/api/...", "schedule": "0 5 * * *"}.',
            )
