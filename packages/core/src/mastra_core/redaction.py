"""The words of an exception that a caller may be told: what looks like a credential is left out."""

from __future__ import annotations

import re

__all__ = ("words_of",)

_HIDDEN = "****"
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
      | eyJ[\w-]{8,}\.[\w-]+\.[\w-]*                                  # a JSON Web Token
    )
    """


def words_of(error: BaseException) -> str:
    """The message of ``error``, its class where it has none, with ``****`` for credentials.

    User code raises what its libraries say, and those quote URLs and headers.
    """
    text = str(error) or type(error).__name__
    # Compiled by its first use, which most processes never come to.
    pattern = re.compile(_CREDENTIAL, re.IGNORECASE | re.VERBOSE)
    return pattern.sub(lambda found: (found["before"] or "") + _HIDDEN, text)
