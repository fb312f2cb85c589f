"""Describe a build: manifest, inventory, bill of materials, sizes, and state for the next build."""
