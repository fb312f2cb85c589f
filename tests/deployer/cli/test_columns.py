"""The columns of lists: texts of one column begin at the same place."""

import datetime as dt

from mastra_core.pipeline import Deployment
from mastra_deployer.cli.deployment import format_rows
from mastra_deployer.output.columns import align_columns


def test_rows_of_different_lengths_are_aligned():
    assert align_columns([["a", "bb", "c"], ["aaa", "b"], []]) == ["a    bb  c", "aaa  b", ""]
    assert align_columns([]) == []


def test_deployments_of_both_stages_have_aligned_columns():
    created = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    facts = {"target": "acme", "created": created, "live": False}
    rows = format_rows(
        [
            Deployment(id="1", url="https://a.example", environment="preview", **facts),
            Deployment(id="22", url="https://b.example", environment="production", **facts),
        ]
    )
    assert rows[0].startswith("  1   20") and rows[1].startswith("  22  20")
    assert rows[0].index("https") == rows[1].index("https")
