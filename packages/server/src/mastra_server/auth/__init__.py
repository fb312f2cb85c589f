"""Authenticate callers with API keys or JSON Web Tokens, and protect the routes."""
