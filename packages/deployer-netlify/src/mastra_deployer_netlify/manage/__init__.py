"""Commands for existing deployments: lists, promotion, logs, checks."""
