"""What of an app or its settings will not work on Vercel; offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mastra_core.pipeline import Build, Bundle, Problem
from mastra_deployer_vercel.bundle.build_output import FUNCTION
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("PYTHONS", "SIZE", "check_build", "inspect_bundle")

PYTHONS = ("3.12", "3.13", "3.14")
SIZE = 225_000_000  # bytes of a function, unpacked; Vercel's own builder draws the line there
_MAX_DURATION = 1800  # seconds, on the largest plan
_PROJECT = re.compile(r"[a-z0-9._-]{1,100}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REGION = re.compile(r"[a-z]{3}\d")
_MEMORY = (128, 4096)  # megabytes
_CRON_FIELDS = 5


def check_build(build: Build, settings: VercelDeployer) -> Iterator[Problem]:
    """Names, numbers and the app itself."""
    yield from _check_settings(settings)
    yield from _check_crons(settings)
    for name in (*build.manifest.required, *build.manifest.optional):
        if not _NAME.fullmatch(name):
            yield Problem(
                message=f"Vercel takes no environment variable called {name!r}.",
                hint="Begin with a letter; use letters, digits and '_'.",
            )
    if build.manifest.registry.get("workflows") and build.manifest.serve.single_process:
        yield Problem(
            message="Workflow runs are kept in memory, and each instance of a function has its "
            "own: a run that waits is lost when its instance ends.",
            hint="Finish runs within one request, or give Mastra(engine=...) a durable engine.",
            severity="warning",
        )


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Layout, for ``--prebuilt`` too."""
    function = bundle.directory / FUNCTION
    if not (function / ".vc-config.json").is_file():
        yield Problem(
            message=f"The bundle has no {FUNCTION}.", hint="Bundle again: mastra bundle vercel."
        )


def _check_settings(settings: VercelDeployer) -> Iterator[Problem]:
    if not _PROJECT.fullmatch(settings.project_name) or "---" in settings.project_name:
        yield Problem(
            message=f"{settings.project_name!r} cannot be the name of a Vercel project.",
            hint="Use at most 100 of: lower-case letters, digits, '.', '_', '-', and no '---'.",
        )
    if settings.max_duration is not None and not 1 <= settings.max_duration <= _MAX_DURATION:
        yield Problem(
            message=f"max_duration is {settings.max_duration}.",
            hint=f"Use seconds from 1 to {_MAX_DURATION}; Hobby allows 300, Pro 800.",
        )
    low, high = _MEMORY
    if settings.memory is not None and not low <= settings.memory <= high:
        yield Problem(
            message=f"memory is {settings.memory}.", hint=f"Use megabytes from {low} to {high}."
        )
    for region in settings.regions:
        if not _REGION.fullmatch(region):
            yield Problem(
                message=f"Vercel has no region {region!r}.", hint="Write ids such as iad1 or fra1."
            )
    path = PurePosixPath(settings.static)
    if settings.static and (path.is_absolute() or ".." in path.parts):
        yield Problem(
            message=f"static leads out of the project: {settings.static!r}.",
            hint="Name a folder of the project.",
        )


def _check_crons(settings: VercelDeployer) -> Iterator[Problem]:
    for cron in settings.crons:
        path, schedule = cron.get("path", ""), cron.get("schedule", "")
        if not path.startswith("/") or len(schedule.split()) != _CRON_FIELDS:
            yield Problem(
                message=f"The cron {dict(cron)!r} cannot be read.",
                hint='Write {"path": "/api/...", "schedule": "0 5 * * *"}.',
            )
