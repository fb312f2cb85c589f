"""Write a bundle: zipped functions, their manifest, and static files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec

from mastra_core.pipeline import Build, Bundle, Report
from mastra_deployer.kit import copy_static_files
from mastra_deployer_netlify.bundle.function_archive import (
    BACKGROUND_FUNCTION,
    BOOTSTRAP,
    FUNCTION,
    write_function_archives,
)
from mastra_deployer_netlify.bundle.output import (
    FUNCTIONS,
    STATIC,
    FunctionConfig,
    write_functions,
)
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("write_bundle",)

_ALL_PATHS = {"pattern": "/*", "expression": "^(?:\\/(.*))\\/?$"}
_BACKGROUND_PATHS = {
    "pattern": "/_background/*",
    "expression": "^\\/_background(?:\\/(.*))\\/?$",
}


def write_bundle(
    build: Build, directory: Path, settings: NetlifyDeployer, report: Report
) -> Bundle:
    """Write the functions, their manifest and the static files into a bundle.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    :returns: the sealed bundle; the sizes of its parts include the size of the interpreter.
    :raises BundleError: if the app or this machine lacks something that the bundle needs.
    """
    (directory / FUNCTIONS).mkdir(parents=True)
    interpreter = write_function_archives(build, settings, directory / FUNCTIONS, report)
    copy_static_files(build, settings.static, directory / STATIC)
    write_functions(directory, _build_configs(settings))
    sizes = {**build.manifest.sizes, f"Python {build.platform.python}": interpreter.size}
    manifest = msgspec.structs.replace(build.manifest, sizes=sizes)
    return Bundle.seal(dataclasses.replace(build, manifest=manifest), directory, "netlify")


def _build_configs(settings: NetlifyDeployer) -> list[FunctionConfig]:
    route = {**_ALL_PATHS, "methods": [], **({"prefer_static": True} if settings.static else {})}
    api = FunctionConfig(
        name=FUNCTION,
        path=f"{FUNCTIONS}/{FUNCTION}.zip",
        routes=(route,),
        build_data={"bootstrapVersion": BOOTSTRAP.version, "runtimeAPIVersion": 2},
        region=settings.region,
        memory=settings.memory,
    )
    if not settings.background:
        return [api]
    background = dataclasses.replace(
        api,
        name=BACKGROUND_FUNCTION,
        path=f"{FUNCTIONS}/{BACKGROUND_FUNCTION}.zip",
        invocation_mode="background",
        routes=({**_BACKGROUND_PATHS, "methods": []},),
    )
    return [dataclasses.replace(api, excluded_routes=(_BACKGROUND_PATHS,)), background]
