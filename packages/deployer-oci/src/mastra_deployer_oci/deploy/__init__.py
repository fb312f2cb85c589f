"""Deploying: assemble the image, push it, and move its tag."""
