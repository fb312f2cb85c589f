"""Checks of arguments: their types, their ranges, and the parameters of functions."""
