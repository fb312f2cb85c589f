"""Bounds in number and bytes, divided among callers."""
