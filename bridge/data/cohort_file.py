"""The file of the cohort that a bundle was trained on, as the bundle remembers it: where it lies, and which file it was."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from bridge.data.cohort import Cohort
from bridge.data.manifest import digest, digest_file


@dataclasses.dataclass(frozen=True)
class CohortFile:
    """A cohort's file.

    Args:
        path: Where it was.
        sha256: Of the file, by which it is known again.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, cohort: Cohort | None) -> CohortFile | None:
        """Of a cohort that was read from a file, None of any other."""
        path = Path(cohort.source) if cohort is not None else None
        return cls(path.resolve(), file_sha256(path)) if path is not None and path.is_file() else None

    @classmethod
    def from_record(cls, folder: Path, fields: dict[str, str] | None) -> CohortFile | None:
        """Inverse of :meth:`record`."""
        return None if fields is None else cls(Path(os.path.normpath(folder.resolve() / fields["path"])), fields["sha256"])

    def record(self, folder: Path) -> dict[str, str]:
        """As a bundle keeps it: the path from the bundle's folder, so that both may move together and no other folder is named."""
        return {"path": Path(os.path.relpath(self.path, folder.resolve())).as_posix(), "sha256": self.sha256}

    def read(self) -> Cohort:
        """The cohort.

        Raises:
            ValueError: the file is not there, or is another one now.
        """
        if not self.path.is_file():
            raise ValueError(f"{self.path}: no such file, expected the cohort that the bundle was trained on; say where it is now with --cohort")
        cohort, found = Cohort.read(self.path), file_sha256(self.path)
        if found != self.sha256:
            raise ValueError(
                f"{self.path}: found SHA-256 {found[:12]}..., expected {self.sha256[:12]}... of the cohort that the bundle was trained on; "
                f"pass --cohort {self.path} if this is the one you mean"
            )
        return cohort


def file_sha256(path: Path) -> str:
    """SHA-256 of a cohort's file: the one that stands beside it, which reading compares, or else computed now."""
    beside = digest_file(path)
    return beside.read_text(encoding="utf-8").split()[0] if beside.is_file() else digest(path)
