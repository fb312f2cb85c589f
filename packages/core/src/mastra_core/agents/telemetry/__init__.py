"""Spans and metrics of the runs of agents."""
