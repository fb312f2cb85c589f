"""Build platforms and size limits."""

import pytest

from mastra_core.pipeline import Platform
from mastra_deployer.kit import (
    MANYLINUX_AARCH64,
    MANYLINUX_X86_64,
    PYODIDE,
    check_size,
    manylinux,
)


def test_platforms_have_the_names_of_uv():
    assert Platform(wheels="x86_64-manylinux_2_28") == MANYLINUX_X86_64
    assert Platform(wheels="aarch64-manylinux_2_28") == MANYLINUX_AARCH64
    assert manylinux("x86_64", "3.12") == Platform(python="3.12", wheels="x86_64-manylinux_2_28")
    assert manylinux("aarch64", glibc="2_17").wheels == "aarch64-manylinux_2_17"
    assert Platform(python="3.14", wheels="pyemscripten_2026_0_wasm32") == PYODIDE


@pytest.mark.parametrize(("sizes", "limit"), [({"a": 10}, 10), ({"a": 10}, 0), ({}, 5)])
def test_no_problem_within_the_limit(sizes, limit):
    assert check_size(sizes, limit, "acme") is None


def test_a_size_problem_names_the_ten_largest_parts():
    sizes = {f"package-{number}": number * 1_000_000 for number in range(20)}
    problem = check_size(sizes, 1_500_000, "acme")
    assert problem.severity == "error"
    assert problem.message == "The bundle has 190.0 MB, but acme allows 1.5 MB."
    parts = problem.hint.removeprefix("The largest parts are: ").split(", ")
    assert len(parts) == 10
    assert parts[0] == "package-19 19.0 MB"
