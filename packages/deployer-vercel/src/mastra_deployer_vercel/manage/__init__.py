"""Managing deployments: promote, roll back, canary, logs, variables and checks."""
