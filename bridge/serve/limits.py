"""What one visitor may ask of the service, in bytes, seconds and numbers; every bound has a test."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of the service.

    Args:
        file_bytes: One uploaded file.
        session_bytes: All files that one session has uploaded and not yet used.
        server_bytes: The same of all sessions.
        spare_bytes: What must stay free on the disk of the temporary folder.
        json_bytes: Body of any other request.
        header_s: Seconds until the head of a request is there, from the opening of the connection or the last answer.
        idle_s: Seconds between two pieces of a body.
        slowest_bytes_s: Slowest upload, averaged after the first ``idle_s``.
        connections: Open at once.
        uploads_at_once: Files that are received side by side.
        waiting: Jobs that wait; one more is answered 429.
        retry_s: What ``Retry-After`` says then.
        deadline_s: Seconds from acceptance to the end of a job, waiting included; then 504.
        unused_s: Seconds after which an uploaded file that no job uses is deleted.
        session_s: Seconds without a request after which a session is forgotten, its reports with it.
        sessions: Sessions at once; the one unused for longest makes room.
        uploads_kept: Unused files of a session.
        reports_kept: Reports of a session; the oldest makes room.
        note_characters: Longest clinical note.
        question_characters: Longest question.
    """

    file_bytes: int = 512 << 20
    session_bytes: int = 1 << 30
    server_bytes: int = 4 << 30
    spare_bytes: int = 1 << 30
    json_bytes: int = 128 << 10
    header_s: float | int = 10
    idle_s: float | int = 10
    slowest_bytes_s: int = 32 << 10
    connections: int = 1024
    uploads_at_once: int = 8
    waiting: int = 8
    retry_s: int = 5
    deadline_s: float | int = 600
    unused_s: float | int = 900
    session_s: float | int = 3600
    sessions: int = 256
    uploads_kept: int = 32
    reports_kept: int = 8
    note_characters: int = 20_000
    question_characters: int = 1_000
