"""Samples by row key, and the reasons why a group was not measured."""

from __future__ import annotations

import dataclasses
from statistics import median


@dataclasses.dataclass
class Results:
    """Everything that a run of the benchmark produces.

    :param samples: measured values by row key, in the unit of the row.
    :param missing: why a group was not measured, by the name of the group.
    :param facts: lines to print above the table.
    """

    samples: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    facts: list[str] = dataclasses.field(default_factory=list)

    def add(self, key: str, *values: float) -> None:
        self.samples.setdefault(key, []).extend(values)

    def median(self, key: str) -> float | None:
        return median(self.samples[key]) if key in self.samples else None
