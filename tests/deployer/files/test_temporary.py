"""Test the removal of temporary directories that killed processes left behind."""

import os

import pytest

from mastra_deployer.files.temporary import TEMPORARY_PREFIX, remove_stale_directories


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_directories_of_other_users_are_not_removed(tmp_path):
    """In a shared directory, anybody can create directories with the prefix."""
    own, foreign = (tmp_path / f"{TEMPORARY_PREFIX}{name}" for name in ("own", "foreign"))
    for directory in (own, foreign):
        directory.mkdir()
        (directory / "file").write_text("")
    os.chown(foreign, 65534, 65534)
    remove_stale_directories(tmp_path)
    assert not own.exists()
    assert (foreign / "file").exists()
