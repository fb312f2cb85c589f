"""The deploy: upload, create, wait."""
