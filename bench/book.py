"""What was measured, by the key of a row; and why something was not."""

from __future__ import annotations

import dataclasses
from statistics import median


@dataclasses.dataclass
class Book:
    """Samples, reasons, and facts to print above the table."""

    samples: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    facts: list[str] = dataclasses.field(default_factory=list)

    def add(self, key: str, *values: float) -> None:
        self.samples.setdefault(key, []).extend(values)

    def middle(self, key: str) -> float | None:
        return median(self.samples[key]) if key in self.samples else None
