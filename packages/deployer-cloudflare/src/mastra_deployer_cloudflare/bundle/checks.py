"""Check settings, builds and bundles against the rules of Workers, offline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Bundle, Problem
from mastra_deployer_cloudflare.bundle.main_module import LIBRARY, MAIN
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("check_build", "inspect_bundle")

SIZE = 64 << 20  # bytes; https://developers.cloudflare.com/workers/platform/limits/
_LARGE = 0.7  # of the size, from which on a warning is shown
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_BINDING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FREE_VARIABLES = 64
_VARIABLES = 128
_MAX_VALUE = 5000  # bytes


def check_build(build: Build, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Check the settings, and the names of modules and bindings.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    yield from _check_name(settings.project_name)
    yield from _check_bindings(build, settings)
    yield from _check_crons(settings)
    yield from _check_modules(build)


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Check the layout and the size of a bundle, including prebuilt bundles.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    from mastra_deployer.kit import format_largest
    from mastra_deployer_cloudflare.bundle.worker_modules import MODULES, read_worker_config

    try:
        read_worker_config(bundle.directory)
    except BundleError as error:
        yield Problem(message=error.message, hint=error.hint)
        return
    total = _measure(bundle.directory / MODULES)
    if total > _LARGE * SIZE:
        yield Problem(
            message=f"The modules have {total / 1e6:.1f} MB, and Cloudflare allows "
            f"{SIZE / 1e6:.1f} MB.",
            hint=f"The largest parts are: {format_largest(bundle.manifest.sizes)}.",
            severity="error" if total > SIZE else "warning",
        )


def _measure(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _check_name(name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem(
            message=f"{name!r} is not a valid name for a Worker with an address on workers.dev.",
            hint="Set project_name: at most 63 characters, lower-case letters, digits and '-'. Do "
            "not begin or end with '-'.",
        )


def _check_bindings(build: Build, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Check that each name in ``env`` is valid and stands for one thing."""
    manifest = build.manifest
    groups: Mapping[str, tuple[str, ...]] = {
        "vars": tuple(settings.vars),
        "the variables of the app": tuple(
            {*manifest.required, *manifest.optional} - set(settings.vars)
        ),
        **{
            name: tuple(getattr(settings, name))
            for name in ("kv", "d1", "r2", "queues", "services")
        },
        "ai": (settings.ai,) if settings.ai else (),
    }
    for group, names in groups.items():
        for name in names:
            if not _BINDING.fullmatch(name):
                yield Problem(
                    message=f"{name!r} in {group} is not a valid name for a binding.",
                    hint="Use letters, digits and '_'. Do not begin with a digit.",
                )
    count = Counter(name for names in groups.values() for name in names)
    for name in sorted(name for name, number in count.items() if number > 1):
        owners = " and ".join(group for group, names in groups.items() if name in names)
        yield Problem(
            message=f"The binding {name!r} is in {owners}.",
            hint="Rename one of the two: all bindings and variables of a Worker share one "
            "namespace.",
        )
    yield from _check_variables(
        settings, len(groups["vars"]) + len(groups["the variables of the app"])
    )


def _check_variables(settings: CloudflareDeployer, count: int) -> Iterator[Problem]:
    for name, value in settings.vars.items():
        if len(value.encode()) > _MAX_VALUE:
            yield Problem(
                message=f"The value of {name!r} in vars has {len(value.encode())} bytes, and "
                f"Cloudflare allows {_MAX_VALUE}.",
                hint="Put the value into a file of the app, or into a KV namespace.",
            )
    if count > _FREE_VARIABLES:
        yield Problem(
            message=f"The Worker has {count} variables. The free plan allows {_FREE_VARIABLES}, "
            f"and paid plans allow {_VARIABLES}.",
            hint="Combine several variables to one, for example as JSON.",
            severity="error" if count > _VARIABLES else "warning",
        )


def _check_crons(settings: CloudflareDeployer) -> Iterator[Problem]:
    from mastra_deployer.kit import find_cron_problem

    for expression in settings.crons:
        if problem := find_cron_problem(expression):
            yield Problem(
                message=f"{expression!r} in crons is not a cron expression: {problem}.",
                hint="Write five fields: minute, hour, day of the month, month, day of the week.",
            )


def _check_modules(build: Build) -> Iterator[Problem]:
    """Check that no module of the app hides a dependency or the modules of the Worker."""
    *own, vendor = (build.directory / path for path in build.manifest.paths)
    for name in sorted({name for path in own for name in _list_modules(path)}):
        if name in (MAIN.removesuffix(".py"), LIBRARY):
            yield Problem(
                message=f"The app has a module {name!r}, and so has the Worker itself.",
                hint=f"Rename the module {name!r} of the app.",
            )
        elif name in _list_modules(vendor):
            yield Problem(
                message=f"The app has a module {name!r}, and so has a dependency. Everything that "
                f"imports {name!r} gets the module of the app.",
                hint=f"Rename the module {name!r} of the app.",
                severity="warning",
            )


def _list_modules(directory: Path) -> set[str]:
    """Return the names of the modules in a directory; without namespace packages."""
    if not directory.is_dir():
        return set()
    return {
        path.name.partition(".")[0]
        for path in directory.iterdir()
        if path.suffix in (".py", ".so") or (path / "__init__.py").is_file()
    }
