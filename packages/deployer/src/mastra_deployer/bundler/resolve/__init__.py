"""Resolve and lock the distributions that ship, for one platform."""
