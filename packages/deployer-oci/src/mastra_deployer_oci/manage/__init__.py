"""Manage deployments: list, promote, roll back and delete."""
