"""Find the account's subdomain of workers.dev."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("find_subdomain",)


def find_subdomain(api: CloudflareApi) -> str:
    """Return the account's subdomain of workers.dev: ``GET /accounts/{id}/workers/subdomain``.

    :param api: Cloudflare's API.
    :returns: the subdomain, such as ``acme``; empty while the account has none.
    """
    found = api.find(api.build_path("/workers/subdomain")) or {}
    return str(found.get("subdomain") or "")
