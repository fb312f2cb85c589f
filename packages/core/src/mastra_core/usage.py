"""The numbers of tokens that a model used."""

from __future__ import annotations

import msgspec

__all__ = ("Usage",)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of tokens, as the provider reports them; zero if it does not report them.

    :param input_tokens: tokens of the input.
    :param output_tokens: tokens of the output.
    :param cached_tokens: tokens of the input that the provider read from its cache.
    :param reasoning_tokens: tokens of the output that are hidden reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )
