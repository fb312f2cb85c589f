"""Serve agents by the A2A protocol: agent cards, and tasks by JSON-RPC."""
