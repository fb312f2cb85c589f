"""Replace secrets with ``****``, because a platform may repeat them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ("add_masked_values", "is_public_word", "iter_forms", "mask", "redact")

_SHORT = 4
_LONG_WORD = 8  # a value of letters only is masked if it has at least this many
_LONG_LINE = 8  # a line of a longer value is masked too if it has at least this many characters
# Common words that are no secrets and occur in many messages.
_WORDS = frozenset(
    "true false none null yes debug info warn warning error production preview development staging "
    "test local localhost default disabled enabled".split()
)
_masked: set[str] = set()


def add_masked_values(values: Iterable[str]) -> None:
    """Mask these values in all results of ``mask`` in this process.

    Short values, words of less than eight letters, and common words are not masked, because masking
    them would make messages unreadable.

    :param values: credentials, and values of the app's variables.
    """
    for value in values:
        _masked.update(each for each in iter_forms(value) if _is_secret(each))


def mask(text: str) -> str:
    """Return a text of a platform or a log, with the values of ``add_masked_values`` masked.

    :param text: any text.
    """
    return redact(text, _masked) if _masked else text


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets by ``****``.

    :param text: any text.
    :param secrets: the values to replace; short values are replaced only as whole words.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "****")
        elif secret:  # masking a short secret within words would make the text unreadable
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "****", text)
    return text


def is_public_word(value: str) -> bool:
    """Return whether a value is a common word, such as ``true`` or ``info``, and not a secret.

    :param value: the value of a variable.
    """
    return value.lower() in _WORDS


def iter_forms(value: str) -> Iterator[str]:
    """Yield a value, and the other forms in which messages may contain the value.

    :param value: the value of a secret.
    """
    text = value.strip()
    yield text
    yield " ".join(text.split())
    yield text.encode("unicode_escape").decode("ascii")
    lines = text.splitlines()
    if len(lines) > 1:  # a key in several lines
        yield from (line.strip() for line in lines if len(line.strip()) >= _LONG_LINE)


def _is_secret(value: str) -> bool:
    if len(value) < _SHORT or is_public_word(value):
        return False
    return len(value) >= _LONG_WORD or not value.isalpha()
