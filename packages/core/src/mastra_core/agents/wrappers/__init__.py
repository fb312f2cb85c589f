"""Agents that run another agent: with processors, and with options of one run."""
