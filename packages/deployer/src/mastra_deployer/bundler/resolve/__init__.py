"""Resolve and lock the distributions and versions that ship, for one platform."""
