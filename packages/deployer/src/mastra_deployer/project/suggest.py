"""Suggest the known word that is nearest to a misspelled word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ("suggest",)


def suggest(word: str, words: Iterable[str]) -> str:
    """Return a hint with the nearest known word, or with all known words.

    :param word: the unknown word.
    :param words: the words that exist.
    """
    words = sorted(words)
    near = difflib.get_close_matches(word, words, 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Available: {', '.join(words)}." if words else "There are none."
