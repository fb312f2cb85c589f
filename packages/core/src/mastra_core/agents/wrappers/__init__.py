"""Agents and tools that run another agent, and the optional attributes of agents."""
