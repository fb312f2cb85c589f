"""Describe agents, tools and workflows in the form that front ends read."""
