"""Text files of strangers - notes, packets -, read only where they are files, of the size of a text, and text."""

from __future__ import annotations

import re
import stat
from pathlib import Path

#: Longest note in bytes: some hundred pages, far more than any LLM reads at once.
NOTE_BYTES = 1 << 20

#: What no text holds: control signs other than tab, line and page breaks, and escape of old terminals.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def read_text(path: str | Path, kind: str, most_bytes: int = NOTE_BYTES) -> str:
    """A text in UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        kind: What it is, as an error calls it: ``a clinical note``.
        most_bytes: Largest file.

    Raises:
        ValueError: no file, a folder, a pipe or a device, too large, or no text in UTF-8; names the file and what to do.
    """
    path = Path(path)
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            raise ValueError(f"{path}: found {'a folder' if path.is_dir() else 'a pipe or a device'}, expected {kind}, a text file in UTF-8")
        if told.st_size > most_bytes:
            raise ValueError(f"{path}: found {told.st_size:,} bytes, expected {kind} of at most {most_bytes:,}; give the part that matters")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file, expected {kind}, a text file in UTF-8; check the path") from error
    except UnicodeDecodeError as error:
        found = f"found {error.object[error.start : error.start + 1]!r} at byte {error.start}"
        raise ValueError(f"{path}: {found}, expected {kind} as text in UTF-8; save it so (iconv -f latin1 -t utf8), or copy the text out of it") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}), expected {kind}, a text file in UTF-8") from error
    wrong = CONTROL.search(text)
    if wrong:
        found = f"found the control sign {wrong[0]!a} at letter {wrong.start() + 1}"
        raise ValueError(f"{path}: {found}, expected {kind} as plain text in UTF-8; copy the text out of the document that it is from")
    return text
