"""Assemble the image, push it, and move its tag."""
