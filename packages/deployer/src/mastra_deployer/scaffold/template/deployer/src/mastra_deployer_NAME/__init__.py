"""Deploys mastra apps to <<title>>."""

from mastra_deployer_<<NAME>>.settings import <<cls>>

__all__ = ("<<cls>>",)
