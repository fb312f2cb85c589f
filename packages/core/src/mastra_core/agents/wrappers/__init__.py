"""Agents that run another agent, and the optional attributes of agents."""
