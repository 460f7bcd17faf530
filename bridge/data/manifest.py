"""SHA-256 of what was written, kept beside it: of a file in the form of ``sha256sum``, of a folder as a list of all its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.data.whole import whole_file

SUFFIX = ".sha256"
MANIFEST = "manifest.json"


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_file(path: Path) -> Path:
    """Where the digest of a file stands."""
    return path.with_name(path.name + SUFFIX)


@contextmanager
def signed_file(path: str | Path) -> Iterator[Path]:
    """Where to write a file whose digest is then written beside it.

    The digest is the last thing that is written and the first that goes: at no moment does it stand beside another content.
    """
    path = Path(path)
    with whole_file(path) as partial:
        yield partial
        line = f"{digest(partial)}  {path.name}\n"
        digest_file(path).unlink(missing_ok=True)
    with whole_file(digest_file(path)) as partial:
        partial.write_text(line, encoding="utf-8")


def require_unchanged(path: Path) -> None:
    """Refuse a file that is not the one whose digest stands beside it; one without a digest is not looked at.

    Raises:
        ValueError: names the file, and what to do.
    """
    beside = digest_file(path)
    if not beside.is_file():
        return
    expected = f"{digest(path)}  {path.name}\n".encode()
    if beside.read_bytes() != expected:
        raise ValueError(
            f"{path}: found SHA-256 {expected[:12].decode()}..., expected the one in {beside.name}; the file is damaged, copy it again "
            f"(or delete {beside.name} if you changed or renamed the file yourself)"
        )


def write_manifest(folder: Path, about: dict[str, str]) -> None:
    """List every file of a folder with its digest.

    Args:
        folder: Complete but for its manifest.
        about: What else the manifest says, for example of which base LLM the weights are.
    """
    (folder / MANIFEST).write_text(_text({"about": about, "files": {name: digest(folder / name) for name in _files(folder)}}), encoding="utf-8")


def require_manifest(folder: Path, kind: str = "bundle") -> dict[str, str]:
    """What a manifest says of its folder; every file is there as it was written, and no other one (but for hidden ones).

    Args:
        folder: As :func:`write_manifest` left it.
        kind: What it is, as an error calls it.

    Raises:
        ValueError: names the first file that is damaged, missing or unknown.
    """
    again = f"the {kind} is damaged or was edited, copy or write it again"
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{path}: no such file, expected the list of the {kind}'s files with their SHA-256; write the {kind} again with this version")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        about, files = content["about"], content["files"]
        if not isinstance(files, dict):
            raise TypeError(f"found {type(files).__name__} for files")
        same = _text({"about": about, "files": files}) == path.read_text(encoding="utf-8")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path}: not a manifest ({type(error).__name__}: {error}); {again}") from error
    found = _files(folder)
    wrong = sorted(set(files) ^ set(found)) or [name for name in found if digest(folder / name) != files[name]]
    if wrong or not same:
        place = folder / wrong[0] if wrong else path
        state = "edited" if not wrong else "unknown file" if wrong[0] not in files else "missing file" if wrong[0] not in found else "wrong SHA-256"
        raise ValueError(f"{place}: {state}, expected what {MANIFEST} lists; {again}")
    return about


def _files(folder: Path) -> list[str]:
    """Names of all files below a folder but for the manifest and hidden ones."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if name.as_posix() != MANIFEST and not any(part.startswith(".") for part in name.parts))


def _text(content: dict) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
