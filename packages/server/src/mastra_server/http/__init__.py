"""Shared parts of all routes: requests, responses, errors, the OpenAPI document."""
