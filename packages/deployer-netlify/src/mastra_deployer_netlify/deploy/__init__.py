"""Deploying: create a deployment, send what Netlify lacks, and wait."""
