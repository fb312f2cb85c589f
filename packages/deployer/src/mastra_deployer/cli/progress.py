"""Format the progress of a step: amount, rate and remaining time."""

from __future__ import annotations

import time

from mastra_deployer.files.human_size import format_bytes

__all__ = ("Progress",)

_MIN_SECONDS = 0.5  # until a rate is meaningful
_QUARTERS = 4


class Progress:
    """The progress of one step, measured from its start.

    :param step: a description of the step.
    """

    def __init__(self, step: str) -> None:
        self.step = step
        self._start = time.monotonic()
        self._quarter = 0

    def format(self, current: int, total: int, unit: str) -> str:
        """Return a progress line, such as ``Uploading: 3.1 MB of 12.4 MB, 1.2 MB/s, 8 s left``.

        :param current: the amount that is done.
        :param total: the amount at the end of the step.
        :param unit: the unit of ``current`` and ``total``; ``B`` for bytes.
        """
        elapsed = time.monotonic() - self._start
        amount = f"{_format_amount(current, unit)} of {_format_amount(total, unit)}"
        if elapsed < _MIN_SECONDS or not current:
            return f"{self.step}: {amount}"
        rate, left = current / elapsed, (total - current) * elapsed / current
        return f"{self.step}: {amount}, {_format_amount(rate, unit)}/s, {left:.0f} s left"

    def reaches_quarter(self, current: int, total: int) -> bool:
        """Return whether the progress has reached another quarter of ``total`` since the last call.

        :param current: the amount that is done.
        :param total: the amount at the end of the step.
        """
        quarter = _QUARTERS * current // total if total else 0
        is_new = quarter > self._quarter
        self._quarter = max(quarter, self._quarter)
        return is_new


def _format_amount(count: float, unit: str) -> str:
    return format_bytes(count) if unit == "B" else f"{count:.0f} {unit}"
