"""What agents remember: threads, messages and working memory."""

from mastra_core.memory.agent import RememberingAgent, memory_of
from mastra_core.memory.memory import Memory

__all__ = ("Memory", "RememberingAgent", "memory_of")
