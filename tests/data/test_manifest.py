"""A digest beside a file stands for its content, and never for another one."""

import hashlib

import pytest

from bridge.data.cohort import Cohort
from bridge.data.manifest import digest_file, require_manifest, require_unchanged, signed_file, write_manifest


def test_a_digest_is_one_that_sha256sum_checks(tmp_path):
    with signed_file(tmp_path / "a.bin") as partial:
        partial.write_bytes(b"content")
    assert (tmp_path / "a.bin.sha256").read_text() == f"{hashlib.sha256(b'content').hexdigest()}  a.bin\n"
    require_unchanged(tmp_path / "a.bin")


def test_a_file_without_a_digest_is_not_looked_at(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"content")
    require_unchanged(tmp_path / "a.bin")


def test_the_old_digest_is_gone_before_the_new_content_has_the_name(tmp_path, monkeypatch):
    path, seen, replace = tmp_path / "a.bin", [], type(tmp_path).replace

    def watched(one, other):
        seen.append((other.name, digest_file(path).exists()))
        return replace(one, other)

    monkeypatch.setattr(type(path), "replace", watched)
    for content in (b"old", b"new"):
        with signed_file(path) as partial:
            partial.write_bytes(content)
    assert seen == [("a.bin", False), ("a.bin.sha256", False)] * 2


def test_a_cohort_of_which_a_bit_was_turned_over_is_refused_and_says_what_to_do(tiny_cohort, tmp_path):
    path = tmp_path / "cohort.h5ad"
    tiny_cohort.write(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cohort.h5ad: found SHA-256 .*the file is damaged, copy it again .*or delete cohort.h5ad.sha256 if you changed"):
        Cohort.read(path)


@pytest.mark.parametrize("content", ["{}", "[]", '{"about": {}, "files": []}', "no JSON", '{"about": {}, "files": {"a.txt": 1}}'])
def test_what_is_no_manifest_is_refused(content, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    write_manifest(tmp_path, {})
    require_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match="the bundle is damaged or was edited"):
        require_manifest(tmp_path)


def test_a_manifest_whose_files_are_no_names_with_digests_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "manifest.json").write_text('{"about": {}, "files": [["a.txt", "0"]]}')
    with pytest.raises(ValueError, match=r"not a manifest \(TypeError: found list for files\)"):
        require_manifest(tmp_path)
