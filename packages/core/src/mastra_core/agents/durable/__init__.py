"""Durable runs of an agent: any process on the database can continue them."""

from mastra_core.agents.durable.agent_workflow import build_agent_workflow
from mastra_core.agents.durable.durable_agent import DurableAgent
from mastra_core.agents.durable.suspended_run_router import SuspendedRunRouter

__all__ = ("DurableAgent", "SuspendedRunRouter", "build_agent_workflow")
