"""Override requirements of a project: use Mastra's installed packages, and leave tools out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mastra_deployer.bundler.own_wheels import get_own_wheel
from mastra_deployer.bundler.resolve.tool_distributions import find_tool_distributions

__all__ = ("OWN_DISTRIBUTIONS", "build_overrides", "describe_overrides")

OWN_DISTRIBUTIONS = ("mastra-core", "mastra-server")


def build_overrides(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """Override requirements: use Mastra's installed packages, and exclude deployers.

    Packages that only deployers require are also excluded.

    :param direct: the direct requirements of the project and the target, as canonical names with
        extras.
    :returns: the lines of a file for uv's option ``--override``.
    """
    lines = []
    for name in OWN_DISTRIBUTIONS:
        extras = ",".join(sorted(direct.get(name, ())))
        lines.append(f"{name}{f'[{extras}]' if extras else ''} @ {get_own_wheel(name).as_uri()}")
    # A marker that is never true removes the package from the resolution.
    return lines + [f"{name} ; python_version < '0'" for name in sorted(find_tool_distributions())]


def describe_overrides(direct: Mapping[str, frozenset[str]]) -> list[str]:
    """Describe the overriding wheels by content, because their paths depend on this machine.

    :param direct: the direct requirements of the project and the target, as canonical names with
        extras.
    """
    digests = [
        hashlib.sha256(get_own_wheel(name).read_bytes()).hexdigest() for name in OWN_DISTRIBUTIONS
    ]
    return [*(line.partition(" @ ")[0] for line in build_overrides(direct)), *digests]
