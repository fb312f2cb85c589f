"""Check settings, builds and bundles against Netlify's limits, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Bundle, Problem
from mastra_deployer_netlify.bundle.function_limits import RESPONSE
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("check_build", "inspect_bundle")

_SITE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_FUNCTION = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")  # as AWS Lambda accepts them
_REGIONS = "cmh dub fra gru iad lhr nrt pdx sfo sin syd yul".split()
_DAY = 86_400  # seconds
_MEMORY = (1024, 4096)  # megabytes


def check_build(build: Build, settings: NetlifyDeployer) -> Iterator[Problem]:
    """Check the settings and the names of variables.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    from mastra_deployer.kit import check_project_path

    yield from _check_settings(settings)
    yield from _check_files(build, settings)
    if problem := check_project_path(settings.static, "static"):
        yield problem
    for name in (*build.manifest.required, *build.manifest.optional):
        if not _VARIABLE.fullmatch(name):
            yield Problem(
                message=f"Netlify does not accept an environment variable named {name!r}.",
                hint="Begin the name with a letter. Use at least two characters: letters, "
                "digits and '_'.",
            )


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Check the layout of a bundle, prebuilt or not, and the sizes of its functions.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    from mastra_deployer_netlify.bundle.output import read_functions

    try:
        functions = read_functions(bundle.directory)
    except BundleError as error:
        yield Problem(message=error.message, hint=error.hint)
        return
    for function in functions:
        if not _FUNCTION.fullmatch(function.name):
            yield Problem(
                message=f"{function.name!r} is not a valid name for a function.",
                hint="Use letters, digits, '_' and '-'.",
            )
        yield from _check_sizes(bundle, function.path)


def _check_files(build: Build, settings: NetlifyDeployer) -> Iterator[Problem]:
    """Report files outside of ``static`` that are too large for a response of the function."""
    root = build.directory / "app"
    served = root / settings.static if settings.static else None
    for path in sorted(root.rglob("*")):
        if served is not None and path.is_relative_to(served):
            continue
        if path.is_file() and (size := path.stat().st_size) > RESPONSE:
            yield Problem(
                message=f"{path.relative_to(root).as_posix()!r} has {size:,} bytes, but a "
                f"response of a function may have only {RESPONSE:,}.",
                hint="If the app sends this file, let Netlify's CDN serve its directory "
                "with static=DIRECTORY.",
                severity="note",
            )


def _check_sizes(bundle: Bundle, path: str) -> Iterator[Problem]:
    from mastra_deployer_netlify.bundle.function_limits import UNZIPPED, ZIPPED, measure_function

    zipped, unzipped = measure_function(bundle.directory / path)
    for size, limit, kind in (
        (zipped, ZIPPED, "zipped"),
        (unzipped, UNZIPPED, "unzipped"),
    ):
        if size > limit:
            # Loaded on use: an unchanged bundle is inspected too.
            from mastra_deployer.kit import format_largest

            yield Problem(
                message=f"The function has {size:,} bytes {kind}, but Netlify allows {limit:,}.",
                hint=f"The largest parts are: {format_largest(bundle.manifest.sizes)}.",
            )


def _check_settings(settings: NetlifyDeployer) -> Iterator[Problem]:
    if not _SITE.fullmatch(settings.project_name):
        yield Problem(
            message=f"{settings.project_name!r} is not a valid name for a site on Netlify.",
            hint="Use at most 63 characters: lower-case letters, digits and '-'. Do not "
            "begin or end with '-'.",
        )
    if settings.region and settings.region not in _REGIONS:
        yield Problem(
            message=f"{settings.region!r} is not a region of Netlify.",
            hint=f"Use one of: {', '.join(_REGIONS)}.",
        )
    low, high = _MEMORY
    if settings.memory is not None and not low <= settings.memory <= high:
        yield Problem(
            message=f"memory={settings.memory} is out of range.",
            hint=f"Use {low} to {high} megabytes. Only larger plans allow more than {low}.",
        )
    if not 1 <= settings.timeout <= _DAY:
        yield Problem(
            message=f"timeout={settings.timeout} is out of range.",
            hint=f"Use 1 to {_DAY} seconds.",
        )
