"""Check builds and bundles against the rules of Workers, offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Bundle, Problem, measure_files
from mastra_deployer_cloudflare.bundle.main_module import LIBRARY, MAIN
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("check_build", "inspect_bundle")

_SIZE = 64 << 20  # bytes; https://developers.cloudflare.com/workers/platform/limits/
_LARGE = 0.7  # the share of the maximum size from which a warning is shown
_BINDINGS = ("kv", "d1", "r2", "queues", "services")


def check_build(build: Build, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Check the names of modules and bindings, the code of the app, and its workflows.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    from mastra_deployer.kit import check_workflow_runs
    from mastra_deployer_cloudflare.bundle.code_checks import check_code

    yield from _check_bindings(build, settings)
    yield from _check_modules(build)
    yield from check_code(build, settings)
    yield from check_workflow_runs(build, "cloudflare")


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Check the layout and the size of a bundle, including prebuilt bundles.

    The command itself reports an app whose packages alone exceed the limit. This function counts
    all modules.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    from mastra_deployer_cloudflare.bundle.worker_modules import MODULES, read_worker_config

    try:
        read_worker_config(bundle.directory)
    except BundleError as error:
        yield Problem(message=error.message, hint=error.hint)
        return
    total = measure_files(bundle.directory / MODULES)
    is_reported = sum(bundle.manifest.sizes.values()) > _SIZE
    if total > _LARGE * _SIZE and not is_reported:
        # Loaded on use: an unchanged bundle is inspected too.
        from mastra_deployer.kit import format_largest

        yield Problem(
            message=f"The modules have {total / 1e6:.1f} MB, and Cloudflare allows "
            f"{_SIZE / 1e6:.1f} MB.",
            hint=f"The largest parts are: {format_largest(bundle.manifest.sizes)}.",
            severity="error" if total > _SIZE else "warning",
        )


def _check_bindings(build: Build, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Check that no binding has the name of a variable, because ``env`` contains both."""
    variables = {*build.manifest.required, *build.manifest.optional}
    owners = {name: setting for setting in _BINDINGS for name in getattr(settings, setting)}
    owners |= {settings.ai: "ai"} if settings.ai else {}
    for name in sorted(variables & owners.keys()):
        yield Problem(
            message=f"{name!r} is a variable of the app, and a binding in {owners[name]}.",
            hint="Rename one of the two.",
        )


def _check_modules(build: Build) -> Iterator[Problem]:
    """Check that no module of the app hides a dependency or the modules of the Worker."""
    *own, vendor = (build.directory / path for path in build.manifest.paths)
    dependencies = _list_modules(vendor)
    for name in sorted({name for path in own for name in _list_modules(path)}):
        if name in (MAIN.removesuffix(".py"), LIBRARY):
            yield Problem(
                message=f"The app has a module {name!r}, and so has the Worker itself.",
                hint=f"Rename the module {name!r} of the app.",
            )
        elif name in dependencies:
            yield Problem(
                message=f"The app has a module {name!r}, and so has a dependency. Everything that "
                f"imports {name!r} gets the module of the app.",
                hint=f"Rename the module {name!r} of the app.",
                severity="warning",
            )


def _list_modules(directory: Path) -> set[str]:
    """Return the names of the modules in a directory, without namespace packages."""
    if not directory.is_dir():
        return set()
    return {
        path.name.partition(".")[0]
        for path in directory.iterdir()
        if path.suffix in (".py", ".so") or (path / "__init__.py").is_file()
    }
