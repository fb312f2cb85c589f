"""Durable runs of an agent, which any process that uses the database can continue."""

from mastra_core.durable_agents.agent_workflow import build_agent_workflow
from mastra_core.durable_agents.durable_agent import DurableAgent
from mastra_core.durable_agents.suspended_run_router import SuspendedRunRouter

__all__ = ("DurableAgent", "SuspendedRunRouter", "build_agent_workflow")
