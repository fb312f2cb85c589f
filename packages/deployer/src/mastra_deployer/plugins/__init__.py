"""Plugins: found by entry point, loaded one at a time, called in one place."""
