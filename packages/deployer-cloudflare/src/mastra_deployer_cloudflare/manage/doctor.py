"""Check whether a deploy would succeed, by only reading from Cloudflare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_core.pipeline import Problem
from mastra_core.secret import Secret
from mastra_deployer_cloudflare.api import open_api
from mastra_deployer_cloudflare.deploy.address_checks import require_address
from mastra_deployer_cloudflare.resources.addresses import find_changes
from mastra_deployer_cloudflare.resources.subdomain import find_subdomain
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("diagnose",)

_MAX_WORKERS, _FREE_WORKERS = 500, 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Permission:
    """A permission of the token.

    :param name: name of the permission on dash.cloudflare.com.
    :param path: path below the account that can only be read with the permission.
    :param use: what mastra needs the permission for.
    """

    name: str
    path: str
    use: str


_STORAGE = {
    "kv": _Permission(
        name="Workers KV Storage: Edit", path="/storage/kv/namespaces", use="the setting kv"
    ),
    "d1": _Permission(name="D1: Edit", path="/d1/database", use="the setting d1"),
    "r2": _Permission(name="Workers R2 Storage: Edit", path="/r2/buckets", use="the setting r2"),
    "queues": _Permission(name="Queues: Edit", path="/queues", use="the setting queues"),
}


def diagnose(settings: CloudflareDeployer, credentials: Mapping[str, Secret]) -> Iterator[Problem]:
    """Check the token and its permissions, the account, and the zones of the addresses.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the problems found.
    :raises AuthError: when the token is missing or rejected.
    """
    with open_api(settings, credentials) as api:
        _verify_token(api)
        permissions = [
            _Permission(
                name="Workers Scripts: Edit",
                path="/workers/scripts",
                use="deploying, listing and rolling back",
            ),
            *(item for setting, item in _STORAGE.items() if getattr(settings, setting)),
        ]
        problems = [each for item in permissions if (each := _check_permission(api, item))]
        yield from problems
        if not problems:
            yield from _check_account(api, settings)


def _verify_token(api: CloudflareApi) -> None:
    """Raise an error for a token that is unknown, expired or disabled.

    A token belongs either to a user or to an account.
    """
    try:
        found = api.get("/user/tokens/verify")
    except (ApiError, AuthError):
        found = api.get(api.build_path("/tokens/verify"))
    status = str((found or {}).get("status") or "active")
    if status != "active":
        raise AuthError(
            f"The token is {status}.", "Create a token at dash.cloudflare.com/profile/api-tokens."
        )


def _check_permission(api: CloudflareApi, permission: _Permission) -> Problem | None:
    try:
        api.get(api.build_path(permission.path))
    except AuthError as error:
        return Problem(
            message=f"The token lacks the permission {permission.name!r} for the account "
            f"{api.account}, which {permission.use} needs. {error.message}",
            hint="Add the permission at dash.cloudflare.com/profile/api-tokens. Or check scope.",
        )
    return None


def _check_account(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[Problem]:
    try:
        require_address(settings, find_subdomain(api))
        find_changes(api, settings)
    except AuthError as error:
        yield Problem(
            message=f"The token cannot read the zones or the addresses of the settings. "
            f"{error.message}",
            hint="Add the permissions 'Zone: Read' and 'Workers Routes: Edit' for the zone. "
            "Custom domains need 'Workers Scripts: Edit'.",
        )
    except DeployError as error:
        yield Problem(message=error.message, hint=error.hint)
    yield from _check_plan(api, settings)
    yield from _check_log(api, settings)


def _check_log(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Warn about missing permissions for the log; a deploy does not need these permissions."""
    query = {
        "queryId": "mastra-doctor",
        "view": "events",
        "limit": 1,
        "timeframe": {"from": 0, "to": 1},
        "parameters": {"filters": []},
    }
    query_path = api.build_path("/workers/observability/telemetry/query")
    tails_path = api.build_script_path(settings.project_name, "/tails")
    calls: dict[str, Callable[[], object]] = {
        "Workers Observability: Read": lambda: api.post(query_path, query, idempotent=True),
        "Workers Tail: Read": lambda: api.find(tails_path),
    }
    for name, call in calls.items():
        try:
            call()
        except AuthError:
            yield Problem(
                message=f"The token lacks the permission {name!r}, which `mastra logs` needs.",
                hint="Add the permission at dash.cloudflare.com/profile/api-tokens.",
                severity="warning",
            )
        except ApiError as error:  # a deploy does not need the log
            yield Problem(
                message=f"The log of the Worker cannot be read. {error.message}",
                hint=error.hint,
                severity="warning",
            )


def _check_plan(api: CloudflareApi, settings: CloudflareDeployer) -> Iterator[Problem]:
    """Report if the plan of the account does not allow another Worker."""
    names = {str(item.get("id")) for item in api.get(api.build_path("/workers/scripts")) or ()}
    if settings.project_name in names or len(names) < _FREE_WORKERS:
        return
    is_full = len(names) >= _MAX_WORKERS
    yield Problem(
        message=f"The account has {len(names)} Workers. Cloudflare allows {_MAX_WORKERS}, and "
        f"{_FREE_WORKERS} on the free plan.",
        hint="Delete a Worker, or ask Cloudflare for a higher limit.",
        severity="error" if is_full else "warning",
    )
