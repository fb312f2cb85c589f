"""The state behind the API: accounts, deployments and how deployments progress."""
