"""Deploy mastra apps to <<title>>; the import loads only mastra_core."""

from mastra_deployer_<<NAME>>.settings import <<cls>>

__all__ = ("<<cls>>",)
