"""Find variables in ``.env`` that a deploy does not send, because they are not declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mastra_core.pipeline import Environment, Problem
from mastra_deployer.checks.known_variables import is_known_variable

__all__ = ("check_env_files",)

_MAX_SHOWN = 8
# Variables of mastra, its tools and its deployers.
_OWN = ("MASTRA_*", "UV_*", "CLOUDFLARE_*", "NETLIFY_*", "OCI_*", "VERCEL_*")


def check_env_files(
    names: Iterable[str], environment: Environment, patterns: Collection[str]
) -> Iterator[Problem]:
    """Yield a problem that lists the undeclared variables of ``.env`` and ``--env-file``.

    :param names: variable names in the environment files, except names that only the deployer
        reads.
    :param environment: the app's variables.
    :param patterns: globs of variables that are not reported.
    """
    known = {name.upper() for name in environment.names}
    undeclared = [
        name
        for name in sorted(set(names))
        if name.upper() not in known and not is_known_variable(name, (*patterns, *_OWN))
    ]
    if not undeclared:
        return
    more = f" and {len(undeclared) - _MAX_SHOWN} more" if len(undeclared) > _MAX_SHOWN else ""
    quoted = ", ".join(f'"{name}"' for name in undeclared)
    yield Problem(
        message=f"The file of variables sets {', '.join(undeclared[:_MAX_SHOWN])}{more} "
        "without a declaration. mastra dev and mastra start pass them to the app, but "
        "a preview and a deployment do not.",
        hint="Declare the variables that the app needs: [tool.mastra.env] optional = "
        f"[{quoted}]. Ignore the others: [tool.mastra.check] ignore.",
        severity="warning",
        where=".env",
    )
