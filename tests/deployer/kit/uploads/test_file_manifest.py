"""``FileManifest``: files by digest."""

import hashlib
import random

import pytest

from mastra_core.errors import BundleError, DeployError
from mastra_deployer.kit import FileManifest


def test_a_manifest_lists_every_file_of_a_content(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("one", "b/two"):
        (tmp_path / name).write_text("same")
    (tmp_path / "three").write_text("other")
    manifest = FileManifest.from_directory(tmp_path, "sha1")
    assert sorted(manifest.paths) == ["b/two", "one", "three"]
    assert len(manifest.files) == 2
    digest = manifest.paths["one"]
    assert digest == hashlib.sha1(b"same").hexdigest()
    assert [path.name for path in manifest.files[digest]] == ["two", "one"]
    assert manifest.read(digest) == b"same"
    assert manifest.get_size() == 9
    assert manifest.get_size([digest]) == 4


def test_contents_of_random_trees_are_read_unchanged(tmp_path):
    rng = random.Random(5)
    for number in range(60):
        path = tmp_path / rng.choice("abc") / rng.choice(("x", "y/z")) / f"{number} ü.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice((0, 1, 3, 70_000))))
    manifest = FileManifest.from_directory(tmp_path)
    for name, digest in manifest.paths.items():
        assert manifest.read(digest) == (tmp_path / name).read_bytes()
    assert manifest.get_size() == sum({d: len(manifest.read(d)) for d in manifest.files}.values())


@pytest.mark.parametrize("target", ["one", "folder", "nowhere"])
def test_symbolic_links_are_rejected(tmp_path, target):
    (tmp_path / "one").write_text("1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(BundleError, match="link"):
        FileManifest.from_directory(tmp_path)


@pytest.mark.parametrize("change", ["other", "oneone", None])
def test_a_file_that_changed_after_its_digest_is_not_read(tmp_path, change):
    file = tmp_path / "one"
    file.write_text("one")
    manifest = FileManifest.from_directory(tmp_path)
    file.unlink() if change is None else file.write_text(change)
    with pytest.raises(DeployError, match="changed during") as raised:
        manifest.read(manifest.paths["one"])
    assert raised.value.hint


def test_files_with_the_same_content_share_a_digest(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("same")
    manifest = FileManifest.from_directory(tmp_path)
    (paths,) = manifest.files.values()
    assert paths == tuple(tmp_path / f"{number}.txt" for number in range(3))
