"""The memory of agents: threads, messages and working memory."""

from mastra_core.memory.memory import Memory
from mastra_core.memory.memory_agent import AgentWithMemory, get_memory

__all__ = ("AgentWithMemory", "Memory", "get_memory")
