"""Write a bundle: a zipped function, its manifest, and static files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec

from mastra_core.pipeline import Build, Bundle, Report
from mastra_deployer.kit import copy_static_files
from mastra_deployer_netlify.bundle.function_archive import BOOTSTRAP, FUNCTION, write_function
from mastra_deployer_netlify.bundle.output import (
    FUNCTIONS,
    STATIC,
    FunctionConfig,
    write_functions,
)
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("write_bundle",)

_ALL_PATHS = {"pattern": "/*", "expression": "^(?:\\/(.*))\\/?$"}


def write_bundle(
    build: Build, directory: Path, settings: NetlifyDeployer, report: Report
) -> Bundle:
    """Write the function, its manifest and the static files into a bundle.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    :returns: the sealed bundle; the interpreter is one of the parts whose sizes it tells.
    :raises BundleError: if the app or the machine does not have everything that the bundle needs.
    """
    path = f"{FUNCTIONS}/{FUNCTION}.zip"
    (directory / path).parent.mkdir(parents=True)
    interpreter = write_function(build, settings.interpreter, directory / path, report)
    copy_static_files(build, settings.static, directory / STATIC)
    write_functions(directory, [_build_config(path, settings)])
    sizes = {**build.manifest.sizes, f"Python {build.platform.python}": interpreter.size}
    manifest = msgspec.structs.replace(build.manifest, sizes=sizes)
    return Bundle.seal(dataclasses.replace(build, manifest=manifest), directory, "netlify")


def _build_config(path: str, settings: NetlifyDeployer) -> FunctionConfig:
    route = {**_ALL_PATHS, "methods": [], **({"prefer_static": True} if settings.static else {})}
    return FunctionConfig(
        name=FUNCTION,
        path=path,
        routes=(route,),
        build_data={"bootstrapVersion": BOOTSTRAP.version, "runtimeAPIVersion": 2},
        region=settings.region,
        memory=settings.memory,
    )
