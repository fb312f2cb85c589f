"""Remove credentials from exception messages, so that a caller may see them."""

from __future__ import annotations

import re

from mastra_core.json_repair import repair_text

__all__ = ("redact_text", "safe_message")

_MASK = "****"
_CREDENTIAL = r"""
    (?P<before>
        \w://                                                         # user and password in a URL
      | \b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)=
      | \b(?:bearer|basic)\s+                                         # in a header
    )
    (?: (?<=://) [^\s/@]+ (?=@) | (?<!://) [^\s&;,'"]{4,} )
    |
    \b (?:
        (?:sk|pk|rk)[-_][\w-]{12,} | gh[opsu]_\w{12,} | github_pat_\w{12,} | glpat-[\w-]{12,}
      | xox[abprs]-[\w-]{10,} | hf_\w{12,} | A(?:KI|SI)A[A-Z0-9]{12,}
    )
    |
    (?<![\w-]) (?=[\w-]+\.[\w-]+\.) [\w-]*? \b eyJ[\w-]{8,}\.[\w-]+\.[\w-]*   # a JSON Web Token
    """


def safe_message(error: BaseException) -> str:
    """Return the message of an error, with ``****`` in place of credentials.

    Errors of libraries may contain URLs and headers with credentials.

    :param error: any exception.
    :returns: the message; the name of the class if the message is empty or cannot be read.
    """
    try:
        text = repair_text(str(error))
    except Exception:  # noqa: BLE001  # a user's class may raise anything
        text = ""
    return redact_text(text or type(error).__name__)


def redact_text(text: str) -> str:
    """Return a text with ``****`` in place of credentials.

    :param text: any text.
    """
    # Compiled on first use, because most processes never need it.
    pattern = re.compile(_CREDENTIAL, re.IGNORECASE | re.VERBOSE)
    return pattern.sub(lambda found: (found["before"] or "") + _MASK, text)
