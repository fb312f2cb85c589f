"""Deploy mastra apps, and any ASGI app, to Vercel through its HTTP API."""

from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("VercelDeployer",)
