"""Files of a corpus: gzipped or not, alone, in a folder or in a tar archive, read as streams and to their end."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from xml.etree.ElementTree import ParseError

GZIP = b"\x1f\x8b"
DAMAGE = (OSError, EOFError, zlib.error, UnicodeDecodeError, ParseError, tarfile.TarError)


def files_of(path: Path, endings: Sequence[str]) -> list[Path]:
    """The file itself, or all files below a folder with one of these endings (``.gz`` behind it counts as well), in order of their names.

    Raises:
        ValueError: there is no such file, or none in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path}: no such file or folder, expected one with {' or '.join(endings)}")
    found = [each for each in sorted(path.rglob("*")) if each.is_file() and each.name.lower().removesuffix(".gz").endswith(tuple(endings))]
    if not found:
        raise ValueError(f"{path}: found no file that ends in {' or '.join(endings)}; name the file or another folder")
    return found


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """What is wrong with a file's bytes, in one line that names it."""
    try:
        yield
    except DAMAGE as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: cannot be read to its end: found {found}; the file is damaged or of another format, fetch it again") from error


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The bytes of a file, unpacked where it is gzipped, whatever it is called."""
    with path.open("rb") as file:
        start = file.read(len(GZIP))
        file.seek(0)
        if start != GZIP:
            yield file
            return
        with gzip.open(file) as stream:
            yield stream


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of UTF-8 text, without their ends."""
    with readable(path), opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")


def text_of(path: Path) -> str:
    """A whole text file."""
    with readable(path), opened(path) as stream:
        return stream.read().decode("utf-8-sig")


def archived(path: Path, endings: Sequence[str]) -> Iterator[tuple[str, BufferedIOBase]]:
    """Name and stream of each file in a tar archive with one of these endings, in the order of the archive.

    The archive is read to the end of its compression, so one that was cut off between two files is noticed as well.
    """
    with readable(path), opened(path) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isfile() and member.name.lower().endswith(tuple(endings)):
                    yield member.name, archive.extractfile(member)
        while stream.read(1 << 20):
            pass


def tab_rows(path: Path, columns: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """The named columns of a tab-separated file whose last comment line is its header, as NCBI, ClinVar and OMIM write them.

    Args:
        path: The file, gzipped or not.
        columns: What a column is called here to its names in the file, of which one has to be there.

    Raises:
        ValueError: a column is missing, or a row is too short.
    """
    places: dict[str, int] = {}
    header: list[str] = []
    for number, line in lines_of(path):
        if line.startswith("#") or not (places or header):
            header = header if places else line.lstrip("# ").split("\t")
            continue
        places = places or _places(path, columns, header)
        fields = line.split("\t")
        if line and len(fields) <= max(places.values()):
            raise ValueError(f"{path}, line {number}: found {len(fields)} fields, expected {len(header)} as in its header; the file is damaged, fetch it again")
        if line:
            yield {name: fields[place].strip() for name, place in places.items()}
    if not places:
        _places(path, columns, header)


def _places(path: Path, columns: Mapping[str, Sequence[str]], header: list[str]) -> dict[str, int]:
    missing = [names[0] for names in columns.values() if not set(names) & set(header)]
    if missing:
        raise ValueError(f"{path}, field {missing[0]}: no such column, found {header[:8]}; expected the file as its publisher writes it")
    return {name: next(header.index(each) for each in names if each in header) for name, names in columns.items()}
