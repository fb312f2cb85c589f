"""Secrets are found in files, in plain text, in base64 and in archives."""

import base64
import gzip
import io
import zipfile

import pytest

from mastra_deployer.testing.recorder import find_occurrences


@pytest.mark.parametrize("word", ["a", "ab", "abc", "abcd", "abcde"])
def test_a_short_word_is_found_only_where_it_is(word):
    assert find_occurrences(b"nothing to see", [word]) == []
    assert find_occurrences(b"<" + word.encode() + b">", [word]) == [word]


@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("word", ["secret-1", "secret-12", "secret-123", "a-long-secret-of-4711"])
def test_a_word_is_found_in_base64_at_each_offset(word, offset):
    text = "x" * offset + word + "tail"
    assert find_occurrences(base64.b64encode(text.encode()), [word]) == [word]


def test_a_word_is_found_in_archives():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.txt", "secret-1 " * 20)
    assert find_occurrences(archive.getvalue(), ["secret-1"]) == ["secret-1"]
    assert find_occurrences(gzip.compress(b"secret-1"), ["secret-1"]) == ["secret-1"]


def test_a_file_that_only_begins_like_gzip_is_searched_as_it_is():
    content = b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 40 + b"secret-1"
    assert find_occurrences(content, ["secret-1"]) == ["secret-1"]
