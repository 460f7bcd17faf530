"""Digests of the files of a folder."""

from __future__ import annotations

from pathlib import Path

from bridge.data.manifest import digest as digest_of

SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Digests of all files, in the form of ``sha256sum --check``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest_of(path)}  {path.relative_to(folder).as_posix()}" for path in paths]
    (folder / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def require_unchanged(folder: Path) -> None:
    """Compare every file with its digest, but for weights, which are for the server to read, and soft tokens, which are checked one by one.

    Raises:
        ValueError: names the file.
    """
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if not name.endswith(".safetensors") and (not (folder / name).is_file() or digest_of(folder / name) != digest):
            raise ValueError(f"{folder / name}: found another file than was written, expected SHA-256 {digest[:12]}...; write it again with: bridge export")
