"""Register the agent, the workflow and the tool of the application."""

import hmac
import os

from litestar import Response

from mastra_core import Mastra, create_logger

from .agents import weather
from .tools import forecast
from .workflows import trip


async def check_token(request, next):
    """Refuse requests without the token, if WEATHER_TOKEN is set."""
    token = os.environ.get("WEATHER_TOKEN")
    sent = request.headers.get("authorization", "")
    if token and not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return Response({"error": "Unauthorized"}, status_code=401)
    return await next(request)


mastra = Mastra(
    agents={"weather": weather},
    workflows={"trip": trip},
    tools={"forecast": forecast},
    logger=create_logger(name="weather", level="info"),
    server_middleware=[{"handler": check_token, "path": "*"}],
)
