"""The memory of agents: threads, messages and working memory."""

from mastra_core.memory.memory import Memory
from mastra_core.memory.memory_agent import RememberingAgent, memory_of

__all__ = ("Memory", "RememberingAgent", "memory_of")
