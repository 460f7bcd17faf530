"""A folder that is written whole or not at all, with the digests of its files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

SUMS = "SHA256SUMS"


@contextlib.contextmanager
def whole_folder(path: Path, mark: str) -> Iterator[Path]:
    """Where to write a folder that gets its name only when the block ends without an error.

    Args:
        path: The folder.
        mark: A file that every export has.

    Raises:
        ValueError: the folder holds something else than an export.
    """
    if path.exists() and not (path / mark).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path}: found something that is not an export, expected a new or empty folder, or an export to replace; choose another --out")
    partial, old = (path.with_name(f"{path.name}.{state}.{os.getpid()}") for state in ("partial", "old"))
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rename(old)
        partial.replace(path)
    finally:
        for left in (partial, old):
            shutil.rmtree(left, ignore_errors=True)


def bundle_digest(bundle: Path) -> str:
    """SHA-256 over a bundle's files: it names the bundle that soft tokens and weights are from."""
    digest = hashlib.sha256()
    for path in sorted(path for path in bundle.rglob("*") if path.is_file() and path.name not in ("README.md", "metrics.json")):
        digest.update(f"{path.relative_to(bundle).as_posix()} {_sha256(path)}\n".encode())
    return digest.hexdigest()


def write_sums(folder: Path) -> None:
    """Digests of all files, in the form of ``sha256sum --check``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}" for path in paths]
    (folder / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def require_unchanged(folder: Path) -> None:
    """Compare every file with its digest, but for weights, which are for the server to read, and soft tokens, which are checked one by one.

    Raises:
        ValueError: names the file.
    """
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if not name.endswith(".safetensors") and (not (folder / name).is_file() or _sha256(folder / name) != digest):
            raise ValueError(f"{folder / name}: found another file than was written, expected SHA-256 {digest[:12]}...; write it again with: bridge export")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
