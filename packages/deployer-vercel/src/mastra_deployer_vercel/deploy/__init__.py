"""Upload files, create the deployment, and wait until the deployment is ready."""
