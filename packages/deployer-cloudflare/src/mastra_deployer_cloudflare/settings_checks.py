"""Check the settings against Cloudflare's rules for names, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mastra_core.pipeline import Problem
from mastra_deployer_cloudflare.resources.zones import get_host
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("check_settings",)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_BINDING = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])")
_QUEUE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_MAX_TITLE = 512  # characters of the title of a KV namespace
_MAX_VARIABLE = 5 * 1024  # bytes of a variable
_FREE_VARIABLES, _MAX_VARIABLES = 64, 128
_MAX_CPU = 300_000  # milliseconds
_MAPPINGS = ("vars", "kv", "d1", "r2", "queues", "services")


def check_settings(settings: CloudflareDeployer) -> Iterator[Problem]:
    """Check names, patterns and numbers.

    :param settings: settings of the deployer.
    :returns: the problems found.
    """
    yield from _check_names(settings)
    yield from _check_bindings(settings)
    yield from _check_resources(settings)
    yield from _check_addresses(settings)
    yield from _check_crons(settings)
    if settings.cpu_ms is not None and not 1 <= settings.cpu_ms <= _MAX_CPU:
        yield Problem(
            message=f"cpu_ms={settings.cpu_ms} is out of range.",
            hint=f"Use 1 to {_MAX_CPU} milliseconds.",
        )


def _check_names(settings: CloudflareDeployer) -> Iterator[Problem]:
    if not _NAME.fullmatch(settings.project_name):
        yield Problem(
            message=f"{settings.project_name!r} is not a valid name for a Worker.",
            hint="Use at most 63 characters: lower-case letters, digits and '-'. Do not begin or "
            "end with '-'.",
        )
    if settings.scope and not _ACCOUNT.fullmatch(settings.scope):
        yield Problem(
            message=f"scope={settings.scope!r} is not the id of an account.",
            hint="Use the 32 digits and letters that dash.cloudflare.com shows as Account ID.",
        )


def _check_bindings(settings: CloudflareDeployer) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for setting in (*_MAPPINGS, "ai"):
        value = getattr(settings, setting)
        names = [value] if isinstance(value, str) else list(value)
        for name in filter(None, names):
            if not _BINDING.fullmatch(name):
                yield Problem(
                    message=f"{name!r} in {setting} is not a valid name for a binding.",
                    hint="Use letters, digits, '_' and '$'. Do not begin with a digit.",
                )
            if name in owners:
                yield Problem(
                    message=f"The binding {name!r} is in {owners[name]} and in {setting}.",
                    hint="Give each binding a name of its own.",
                )
            owners[name] = setting
    yield from _check_variables(settings.vars)


def _check_variables(variables: Mapping[str, str]) -> Iterator[Problem]:
    for name, value in variables.items():
        if (size := len(value.encode())) > _MAX_VARIABLE:
            yield Problem(
                message=f"The variable {name!r} has {size:,} bytes, but Cloudflare allows "
                f"{_MAX_VARIABLE:,}.",
                hint="Put the text into a file of the app.",
            )
    count = len(variables)
    if count > _FREE_VARIABLES:
        yield Problem(
            message=f"vars has {count} variables, but Cloudflare allows {_MAX_VARIABLES}, and "
            f"{_FREE_VARIABLES} on the free plan. Secrets count too.",
            hint="Put several values into one variable, as JSON.",
            severity="error" if count > _MAX_VARIABLES else "warning",
        )


def _check_resources(settings: CloudflareDeployer) -> Iterator[Problem]:
    rules = (("r2", _BUCKET, "3 to 63"), ("queues", _QUEUE, "1 to 63"))
    for setting, pattern, length in rules:
        for name in getattr(settings, setting).values():
            if not pattern.fullmatch(name):
                yield Problem(
                    message=f"{name!r} in {setting} is not a valid name.",
                    hint=f"Use {length} characters: lower-case letters, digits and '-'. Do not "
                    "begin or end with '-'.",
                )
    for setting in ("kv", "d1"):
        for name in getattr(settings, setting).values():
            if not name.strip() or len(name) > _MAX_TITLE:
                yield Problem(
                    message=f"{name!r} in {setting} is not a valid name.",
                    hint=f"Use 1 to {_MAX_TITLE} characters.",
                )
    for name in settings.services.values():
        service, _, entrypoint = name.partition("#")
        if not _NAME.fullmatch(service) or (entrypoint and not entrypoint.isidentifier()):
            yield Problem(
                message=f"{name!r} in services names no Worker.",
                hint="Write WORKER, or WORKER#ENTRYPOINT.",
            )


def _check_addresses(settings: CloudflareDeployer) -> Iterator[Problem]:
    for pattern in settings.routes:
        if not _HOST.fullmatch(get_host(pattern)):
            yield Problem(
                message=f"{pattern!r} in routes is not a route pattern.",
                hint="Write a host name and a path, such as shop.example.com/*.",
            )
    for host in settings.custom_domains:
        if not _HOST.fullmatch(host):
            yield Problem(
                message=f"{host!r} in custom_domains is not a host name.",
                hint="Write only the host name, in lower case, such as shop.example.com.",
            )
    if not (settings.workers_dev or settings.routes or settings.custom_domains):
        yield Problem(
            message="The Worker has no address: workers_dev is false, and there are no routes and "
            "no custom_domains.",
            hint="Set one of them. Otherwise only crons and other Workers can call the app.",
            severity="warning",
        )


def _check_crons(settings: CloudflareDeployer) -> Iterator[Problem]:
    from mastra_deployer.kit import find_cron_problem

    for cron in settings.crons:
        if problem := find_cron_problem(cron):
            yield Problem(
                message=f"The cron expression {cron!r} is not valid: {problem}.",
                hint="Write five fields: minute, hour, day, month and day of the week.",
            )
