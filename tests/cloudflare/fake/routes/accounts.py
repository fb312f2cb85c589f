"""Tokens, accounts, subdomain and zones."""

from __future__ import annotations

from typing import Any

from tests.cloudflare.fake.routing import ApiError, Page, Request, route


@route("GET", "/user/tokens/verify", "")
def verify_token(request: Request) -> Any:
    return {"id": "f" * 32, "status": request.platform.token_status}


@route("GET", "/accounts/{account}/tokens/verify", "")
def verify_account_token(request: Request) -> Any:
    return verify_token(request)


@route("GET", "/accounts", "account")
def list_accounts(request: Request) -> Page:
    accounts = request.platform.accounts.items()
    return request.select_page([{"id": key, "name": name} for key, name in accounts])


@route("GET", "/accounts/{account}/workers/subdomain")
def read_subdomain(request: Request) -> Any:
    if not request.platform.subdomain:
        raise ApiError(404, 10007, "You have not yet registered a workers.dev subdomain.")
    return {"subdomain": request.platform.subdomain}


@route("GET", "/zones", "zones")
def list_zones(request: Request) -> Page:
    name = request.get_query("name")
    zones = [zone for zone in request.platform.zones if name in ("", zone.name)]
    return request.select_page(
        [{"id": zone.id, "name": zone.name, "account": {"id": zone.account}} for zone in zones]
    )
