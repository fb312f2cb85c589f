"""Deploy mastra apps, and any ASGI app, to Cloudflare Workers through Cloudflare's API."""

from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("CloudflareDeployer",)
