"""``mastra new``: one module for each kind of thing that it creates."""

from mastra_deployer.cli.new.group import new

__all__ = ("new",)
