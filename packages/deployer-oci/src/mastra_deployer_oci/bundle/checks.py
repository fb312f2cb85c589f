"""Check builds and bundles without a registry."""

from __future__ import annotations

import re
from collections.abc import Callable

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Build, Bundle, Problem
from mastra_deployer_oci.api.reference import Reference
from mastra_deployer_oci.api.tags import check_production_tag
from mastra_deployer_oci.bundle.base_reference import find_base
from mastra_deployer_oci.bundle.platforms import to_architecture
from mastra_deployer_oci.settings import OciDeployer

__all__ = ("check_build", "inspect_bundle")

_LAST_PORT = 65535


def check_build(build: Build, settings: OciDeployer) -> list[Problem]:
    """Check the settings and the platform of a build.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    problems = [
        _to_problem(lambda: to_architecture(build.platform.wheels)),
        _to_problem(lambda: _check_image(settings.image)),
        _to_problem(lambda: _check_base(settings, build)),
        _to_problem(lambda: check_production_tag(settings.tag)),
    ]
    if not re.fullmatch(r"\d+(:\d+)?", settings.user):
        message = f"user={settings.user!r} is not a numeric user."
        hint = "Write user:group in numbers, because names are different in each image."
        problems.append(Problem(message=message, hint=hint))
    elif settings.user.partition(":")[0] == "0":
        message = "The image runs as root."
        problems.append(
            Problem(message=message, hint="Remove the setting user.", severity="warning")
        )
    if not settings.python.strip():
        message = "python='' is not a command."
        problems.append(Problem(message=message, hint="Write python, or remove the setting."))
    if settings.health and not settings.health.startswith("/"):
        message = f"health={settings.health!r} is not a path."
        problems.append(
            Problem(
                message=message, hint="Write a path such as /health, or leave the setting empty."
            )
        )
    if not 0 <= settings.port <= _LAST_PORT:
        message = f"port={settings.port} is not a port."
        problems.append(Problem(message=message, hint=f"Use a number from 0 to {_LAST_PORT}."))
    return [problem for problem in problems if problem]


def _to_problem(check: Callable[[], object]) -> Problem | None:
    try:
        check()
    except ConfigError as error:
        return Problem(message=error.message, hint=error.hint)
    return None


def _check_image(image: str) -> None:
    if not image:
        return  # the value comes from a variable that only deploying reads
    reference = Reference.parse(image)
    if reference.tag or reference.digest:
        raise ConfigError(
            f"image={image!r} has a tag or a digest.",
            f"Write image={reference.name}. Set the production tag with -s tag=...",
        )


def _check_base(settings: OciDeployer, build: Build) -> None:
    base = find_base(settings, build.platform.python)
    if base is not None and "alpine" in base.tag:
        raise ConfigError(
            f"The base image {str(base)!r} is Alpine with musl, but the wheels need glibc.",
            "Use a Debian base image, for example a tag that ends in -slim.",
        )


def inspect_bundle(bundle: Bundle) -> list[Problem]:
    """Check that a bundle has all layers of its plan, with their full size.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    from mastra_deployer_oci.bundle.image_plan import BLOBS, read_plan

    problems = []
    for layer in read_plan(bundle.directory).layers:
        path = bundle.directory / BLOBS / layer.digest.removeprefix("sha256:")
        if not path.is_file() or path.stat().st_size != layer.size:
            message = f"The layer {layer.purpose!r} ({layer.digest}) is missing or incomplete."
            problems.append(Problem(message=message, hint="Bundle again: mastra bundle oci."))
    return problems
