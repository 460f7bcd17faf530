"""Uploaded files: in a private folder, under random names, until they were used or their session ends."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bridge.serve.body import too_large
from bridge.serve.limits import Limits
from bridge.serve.names import shown, suffix
from bridge.serve.refusal import RefusedError

PREFIX = "bridge-serve-"
LOCK = "lock"


@dataclasses.dataclass
class Upload:
    """One file.

    Args:
        id: Random.
        modality: What it is an input for.
        name: As the visitor calls it, to be shown.
        path: Where it lies.
        bytes: Its size so far.
        since: When it came, in seconds of the monotonic clock.
    """

    id: str
    modality: str
    name: str
    path: Path
    bytes: int = 0
    since: float = dataclasses.field(default_factory=time.monotonic)

    def delete(self) -> None:
        """Remove the file and its folder."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


class Uploads:
    """The folder of a running server; folders that a killed server left are removed.

    Args:
        limits: Bounds.
        parent: Where the folder is made; the system's temporary folder by default.
    """

    def __init__(self, limits: Limits, parent: Path | None = None):
        self.limits, parent = limits, Path(parent or tempfile.gettempdir())
        remove_leftovers(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # 0700
        self._lock = os.open(self.folder / f".{LOCK}", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(self.folder / f".{LOCK}", self.folder / LOCK)  # held from the moment that another server can find it
        self.bytes, self.receiving, self._room = 0, 0, threading.Lock()

    async def receive(self, chunks: AsyncIterator[bytes], modality: str, name: str, left: int) -> Upload:
        """Write a body to a file as it comes in.

        Args:
            chunks: The body.
            modality: What it is an input for.
            name: As the visitor calls it.
            left: Bytes that the session may still use.

        Raises:
            RefusedError: too large, the server's room is used up, or too many files at once.
        """
        if self.receiving >= self.limits.uploads_at_once:
            raise RefusedError(429, "upload: too many files come in at once; try again", {"Retry-After": str(self.limits.retry_s)})
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        upload = Upload(secrets.token_urlsafe(16), modality, shown(name), folder / f"upload{suffix(name)}")
        self.receiving += 1
        try:
            await self._write(upload, chunks, left)
        except BaseException:
            self.delete(upload)
            raise
        finally:
            self.receiving -= 1
        return upload

    def delete(self, upload: Upload) -> None:
        """Remove a file and give its room back; nothing where that was done."""
        upload.delete()
        with self._room:
            self.bytes, upload.bytes = self.bytes - upload.bytes, 0

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)

    async def _write(self, upload: Upload, chunks: AsyncIterator[bytes], left: int) -> None:
        with open(os.open(upload.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            async for chunk in chunks:
                with self._room:
                    upload.bytes, self.bytes = upload.bytes + len(chunk), self.bytes + len(chunk)
                self._require_room(upload, left)
                file.write(chunk)
        if not upload.bytes:
            raise RefusedError(422, "body: found nothing, expected a file")

    def _require_room(self, upload: Upload, left: int) -> None:
        if upload.bytes > min(left, self.limits.file_bytes):
            raise too_large(min(left, self.limits.file_bytes))
        free = shutil.disk_usage(self.folder).free
        if self.bytes > self.limits.server_bytes or free < self.limits.spare_bytes:
            raise RefusedError(507, "upload: the server has no room for more files now; try again later", {"Retry-After": "60"})


def remove_leftovers(parent: Path) -> None:
    """Remove the folders of servers that do not run any more: nobody holds their lock."""
    for folder in parent.glob(f"{PREFIX}*"):
        status = folder.lstat()
        if folder.is_symlink() or not folder.is_dir() or status.st_uid != os.getuid():
            continue
        with contextlib.suppress(OSError):
            _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
