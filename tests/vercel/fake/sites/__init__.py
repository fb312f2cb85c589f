"""The hosts of deployments: unpacked files, routes and functions."""
