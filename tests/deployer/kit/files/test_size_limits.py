"""Size limits of archives."""

import io
import random

import pytest

from mastra_deployer.kit import check_compressed_size, zip_directory

SIZES = {"app": 10, "library": 1_500_000}


@pytest.fixture
def directory(tmp_path):
    """A directory whose files compress to a tenth, besides 100 kB that do not compress."""
    (tmp_path / "text").write_bytes(b"0123456789" * 100_000)
    (tmp_path / "noise").write_bytes(random.Random(1).randbytes(100_000))  # test data
    (tmp_path / "link").symlink_to("text")
    return tmp_path


def test_the_compressed_size_is_that_of_the_zip(directory):
    (directory / "link").unlink()
    archive = io.BytesIO()
    zip_directory(directory, archive)
    size = len(archive.getvalue())
    assert size < 150_000
    assert check_compressed_size(directory, SIZES, size, "acme") is None
    assert check_compressed_size(directory, SIZES, 0, "acme") is None
    problem = check_compressed_size(directory, SIZES, size - 1, "acme")
    assert problem.severity == "error"
    assert problem.message == "The bundle has 0.1 MB compressed, but acme allows 0.1 MB."
    assert problem.hint == "The largest parts before compression are: library 1.5 MB, app 0.0 MB."


def test_links_are_measured_too(directory):
    assert check_compressed_size(directory, SIZES, 200_000, "acme") is None
    assert check_compressed_size(directory, SIZES, 50_000, "acme")
