"""Suggest the known word that is nearest to a misspelled word."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ("find_nearest", "suggest")


def find_nearest(word: str, words: Iterable[str]) -> str:
    """Return the known word that is nearest to a word; empty if none is near.

    :param word: the unknown word.
    :param words: the words that exist.
    """
    import difflib  # only an error needs it

    return next(iter(difflib.get_close_matches(word, sorted(words), 1)), "")


def suggest(word: str, words: Iterable[str]) -> str:
    """Return a hint with the nearest known word, or with all known words.

    :param word: the unknown word.
    :param words: the words that exist.
    """
    words = sorted(words)
    if near := find_nearest(word, words):
        return f"Did you mean {near!r}?"
    return f"Available: {', '.join(words)}." if words else "There are none."
