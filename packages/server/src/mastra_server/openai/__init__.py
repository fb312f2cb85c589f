"""The OpenAI Responses API over agents."""
