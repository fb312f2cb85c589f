"""Limits for the number and size of stored things, divided among callers."""
