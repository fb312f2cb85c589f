"""Deploy mastra apps, and any ASGI app, to Netlify through its HTTP API."""

from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("NetlifyDeployer",)
