"""How far a piece of work is, in words: share, amount, rate, time left."""

from __future__ import annotations

import time

from mastra_deployer.files.human_size import human_bytes

__all__ = ("Progress",)

_SETTLED = 0.5  # seconds until a rate says something
_QUARTERS = 4


class Progress:
    """One phase, measured from its beginning."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self._began = time.monotonic()
        self._quarter = 0

    def words(self, done: int, total: int, unit: str) -> str:
        """``Uploading: 3.1 MB of 12.4 MB, 1.2 MB/s``."""
        passed = time.monotonic() - self._began
        amount = f"{_amount(done, unit)} of {_amount(total, unit)}"
        if passed < _SETTLED or not done:
            return f"{self.phase}: {amount}"
        rate, left = done / passed, (total - done) * passed / done
        return f"{self.phase}: {amount}, {_amount(rate, unit)}/s, {left:.0f} s left"

    def passed_a_quarter(self, done: int, total: int) -> bool:
        """Whether this is worth a line where nothing can be written over."""
        quarter = _QUARTERS * done // total if total else 0
        new = quarter > self._quarter
        self._quarter = max(quarter, self._quarter)
        return new


def _amount(count: float, unit: str) -> str:
    return human_bytes(count) if unit == "B" else f"{count:.0f} {unit}"
