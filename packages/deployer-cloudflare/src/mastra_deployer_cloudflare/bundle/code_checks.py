"""Check the code of an app against the rules of Workers, without running the app."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

from mastra_core.pipeline import Build, Problem
from mastra_deployer.kit import (
    AppCode,
    CodeFinding,
    find_async_primitives,
    find_blocking_clients,
    find_environment_reads,
    find_foreign_libraries,
    find_random_values,
    find_threads,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("check_code",)

_REQUEST = 'Or set build_app = "request", so that the app is imported at the first request.'


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Rule:
    """One rule of Workers.

    :param find: a function that yields the places that break the rule.
    :param message: what happens where code breaks the rule; ``{text}`` stands for this code.
    :param hint: what the user has to do.
    :param severity: the severity of the problem.
    """

    find: Callable[[AppCode], Iterator[CodeFinding]]
    message: str
    hint: str
    severity: Literal["error", "warning"] = "warning"


# Rules of the import at the upload, from whose state every instance starts.
_IMPORT_RULES = (
    _Rule(
        find=find_environment_reads,
        message="{text} is read while the app is imported, when variables have no value.",
        hint=f"Read it in a function that runs during a request. {_REQUEST}",
    ),
    _Rule(
        find=find_random_values,
        message="{text} runs while the app is imported, which a Worker refuses.",
        hint=f"Make the value in a function that runs during a request. {_REQUEST}",
        severity="error",
    ),
)
_RULES = (
    _Rule(
        find=find_async_primitives,
        message="{text} is created while the app is imported, so requests share it. A Worker "
        "fails if one request waits for another one.",
        hint="Create it in each request. Or keep the state in D1, KV or a Durable Object.",
    ),
    _Rule(
        find=find_threads,
        message="{text} needs threads or processes, which a Worker does not have.",
        hint="Use asyncio. A plain function of a tool or a step needs no thread of its own.",
    ),
    _Rule(
        find=find_blocking_clients,
        message="{text} opens TLS connections itself, which does not work in a Worker.",
        hint="Use httpx, whose requests go through the platform's fetch.",
    ),
)


def check_code(build: Build, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Find code that fails in a Worker.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer; the rules about the import depend on ``build_app``.
    :returns: the problems found.
    """
    code = AppCode.read_build(build)
    for rule in (*(_IMPORT_RULES if settings.build_app == "import" else ()), *_RULES):
        for finding in rule.find(code):
            yield Problem(
                message=rule.message.format(text=finding.text),
                hint=rule.hint,
                severity=rule.severity,
                where=finding.where,
            )
    for path in find_foreign_libraries(build.directory):
        name = path.relative_to(build.directory).as_posix()
        yield Problem(
            message=f"The library {name} is not compiled for WebAssembly, so a Worker cannot load "
            "it.",
            hint="Remove the dependency, or use a version with a wheel for Pyodide.",
            severity="warning",
        )
