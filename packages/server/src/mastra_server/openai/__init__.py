"""Serve agents by OpenAI's Responses API."""
