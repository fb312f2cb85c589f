"""Deployments that exist: list, promote, roll back, remove."""
