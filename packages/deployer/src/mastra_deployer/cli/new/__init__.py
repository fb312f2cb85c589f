"""The command ``mastra new``, with one module for each kind of files."""

from mastra_deployer.cli.new.group import new

__all__ = ("new",)
