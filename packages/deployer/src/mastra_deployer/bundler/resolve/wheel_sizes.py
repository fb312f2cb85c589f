"""Check the sizes of wheels in the index before anything is installed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform, Target
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, is_compatible
from mastra_deployer.bundler.vendor.unused_requirements import UNUSED

__all__ = ("check_wheel_sizes", "measure_wheels")

# Up to half of a wheel may be files that do not ship, such as tests.
_PRUNED_SHARE = 2


def check_wheel_sizes(
    closure: Closure, platform: Platform, target: Target, keep: frozenset[str]
) -> None:
    """Raise an error if the wheels alone exceed a limit of the target.

    A wheel is compressed, so its installed files are larger than the wheel itself.

    :param closure: the locked dependencies.
    :param platform: the platform to build for.
    :param target: the target, which has the limits.
    :param keep: canonical names of distributions that always ship.
    :raises BuildError: when the wheels are too large; the message names the largest packages.
    """
    limits = target.limits
    bounds = [bound for bound in (limits.size, limits.compressed * _PRUNED_SHARE) if bound]
    if not bounds:
        return
    sizes = measure_wheels(closure, platform, keep)
    if (total := sum(sizes.values())) <= min(bounds):
        return
    from mastra_deployer.kit.files.size_limits import format_largest  # loads the whole kit

    kind = "" if limits.size and total > limits.size else " compressed"
    limit = limits.compressed if kind else limits.size
    raise BuildError(
        f"The wheels of the dependencies have {total / 1e6:.1f} MB even before they are unpacked, "
        f"but {target.name} allows {limit / 1e6:.1f} MB{kind}. Nothing was installed.",
        f"The largest packages: {format_largest(sizes)}.",
    )


def measure_wheels(
    closure: Closure, platform: Platform, keep: frozenset[str] = frozenset()
) -> dict[str, int]:
    """Return the bytes of each wheel that may ship, if the index states its size.

    :param closure: the locked dependencies.
    :param platform: the platform to build for.
    :param keep: canonical names of distributions whose files all ship.
    """
    tables = tomllib.loads(closure.lock.read_text(encoding="utf-8")).get("packages", [])
    unused = {name for names in UNUSED.values() for name in names} - closure.direct.keys() - keep
    sizes = {canonicalize_name(table["name"]): _get_size(table, platform) for table in tables}
    return {name: size for name, size in sizes.items() if size and name not in unused}


def _get_size(table: Mapping[str, Any], platform: Platform) -> int:
    """Return the size of the smallest matching wheel; 0 if it is unknown."""
    if "archive" in table:
        return _read_size(table["archive"])
    files = [
        file for file in table.get("wheels", []) if is_compatible(get_file_name(file), platform)
    ]
    return min(map(_read_size, files), default=0)


def _read_size(file: Mapping[str, Any]) -> int:
    if "size" in file:
        return int(file["size"])
    path = Path(file.get("path", ""))
    return path.stat().st_size if "path" in file and path.is_file() else 0
