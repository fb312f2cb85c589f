"""Files of a scaffold: all are written, or none."""

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.scaffold import render


def list_names(directory):
    return sorted(path.name for path in directory.rglob("*"))


def test_a_directory_in_place_of_a_file_changes_nothing(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        render.write_files({"a": "new", "b": "new", "c": "new"}, tmp_path, force=True)
    assert (tmp_path / "a").read_text() == "old"
    assert list_names(tmp_path) == ["a", "b"]
    render.write_files({"a": "new", "c": "new"}, tmp_path, force=True)
    assert (tmp_path / "a").read_text() == "new"


def test_an_interrupt_leaves_no_drafts(tmp_path, monkeypatch):
    write_draft = render._write_draft

    def interrupt(draft, target, text):
        write_draft(draft, target, text)
        if target.name == "b":
            raise KeyboardInterrupt

    monkeypatch.setattr(render, "_write_draft", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render.write_files({"x/a": "1", "x/b": "2"}, tmp_path)
    assert list_names(tmp_path) == []
