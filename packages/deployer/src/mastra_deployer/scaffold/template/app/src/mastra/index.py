"""Register the agents and workflows of the application."""

from mastra_core import Mastra, create_logger

from .agents import greeter
from .workflows import order

mastra = Mastra(
    agents={"greeter": greeter},
    workflows={"order": order},
    logger=create_logger(name="<<name>>", level="info"),
)
