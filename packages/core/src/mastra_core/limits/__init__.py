"""Bounds in number and bytes, also divided among callers."""
