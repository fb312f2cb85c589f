"""Manage deployments: list, promote, roll back, canary, logs, variables and checks."""
