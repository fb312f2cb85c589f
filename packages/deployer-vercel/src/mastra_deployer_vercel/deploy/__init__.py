"""Deploying: upload files, create the deployment, and wait until it is ready."""
