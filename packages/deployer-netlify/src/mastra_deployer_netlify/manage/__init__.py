"""Manage existing deployments: lists, promotion, logs, checks."""
