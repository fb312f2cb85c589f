"""Deploys mastra apps to <<title>>; importing it loads mastra_core alone."""

from mastra_deployer_<<NAME>>.settings import <<cls>>

__all__ = ("<<cls>>",)
