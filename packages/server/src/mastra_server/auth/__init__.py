"""Authenticate callers with API keys or JSON Web Tokens, and guard the routes."""
