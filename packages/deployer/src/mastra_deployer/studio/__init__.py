"""Mastra Studio: the original's page to try agents and workflows in, served without Node."""
