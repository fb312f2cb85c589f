"""Create, find and wait for the resources of a platform."""
