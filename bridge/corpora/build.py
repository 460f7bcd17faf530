"""A corpus folder: the documents of each domain, cleaned, and a card that says what was read, kept and left out."""

from __future__ import annotations

import dataclasses
import gzip
import importlib.metadata
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bridge.corpora.contamination import TestItems, digest, read_items
from bridge.corpora.files import readable
from bridge.corpora.formats import FORMATS, filled, read_corpus
from bridge.corpora.gates import Cleaning, Gates, Tally
from bridge.corpora.identifiers import Handling
from bridge.corpora.record import Record
from bridge.data.whole import require_replaceable, whole_folder
from bridge.settings import config_file, read_yaml

CARD, SUFFIX = "card.json", ".jsonl.gz"
#: Documents between two changes of the progress line.
SHOWN_EVERY = 100

#: Domain to its sources, each with a format and its settings.
Config = Mapping[str, Sequence[Mapping[str, Any]]]


def build_corpus(config: Config, out: str | Path, *, benchmarks: Sequence[str | Path] = (), cleaning: Cleaning | None = None) -> dict[str, Any]:
    """Write ``DOMAIN.jsonl.gz`` for each domain and ``card.json``, all or nothing; the same input gives the same bytes.

    Args:
        config: Domain to its sources; a source has ``format``, ``path``, ``identifiers`` (refuse, redact or ignore; refuse by default),
            ``source``, ``licence`` and the settings of its reader. The first of two like documents is kept, in the order of the config.
        out: Folder to write; a corpus that is there is replaced, anything else is not.
        benchmarks: Files whose test items must not be in the corpus.
        cleaning: How documents are compared.

    Returns:
        The card.

    Raises:
        ValueError: the config, a file or a benchmark is wrong, or a domain is left without a document.
    """
    out, cleaning = Path(out), cleaning or Cleaning()
    _require_config(config)
    for source in (source for sources in config.values() for source in sources if source.get("path") and source.get("format") in FORMATS):
        filled(source["path"])  # before anything is read
    require_replaceable(out, "a corpus", CARD)
    benchmarks = [Path(each) for each in benchmarks]
    items = TestItems([item for file in benchmarks for item in read_items(file)], cleaning.ngram)
    card = {"settings": _settings(cleaning), "benchmarks": {"items": items.count, "files": {file.name: digest(file) for file in benchmarks}}}
    with whole_folder(out, "a corpus", CARD) as folder:
        card["domains"] = _write_domains(config, folder, Gates(cleaning, items))
        (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return card


def read_config(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The sources of a corpus from a YAML file of yours or a shipped one (``corpus/small.yaml``).

    Raises:
        ValueError: the file is no YAML, or does not give sources by domain.
    """
    file = Path(config_file(str(path)))
    config = read_yaml(file)
    _require_config(config)
    return config


def read_card(folder: str | Path) -> dict[str, Any]:
    """What ``card.json`` of a corpus says.

    Raises:
        ValueError: there is no corpus in the folder.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        raise ValueError(f"{folder}: found no {CARD}, expected a corpus folder; write one with build_corpus")
    return json.loads(path.read_text(encoding="utf-8"))


def read_domain(folder: str | Path, domain: str) -> Iterator[Record]:
    """The documents of one domain, after a look whether its file is the one that was written.

    Raises:
        ValueError: there is no such domain, or its file is another one.
    """
    domains, path = read_card(folder)["domains"], Path(folder) / f"{domain}{SUFFIX}"
    if domain not in domains or not path.is_file():
        raise ValueError(f"{folder}, domain {domain!r}: there is none, found {', '.join(domains)}; build the corpus again with it")
    found, expected = digest(path), domains[domain]["sha256"]
    if found != expected:
        raise ValueError(f"{path}: sha256 is {found}, expected {expected} as in {CARD}; the file was changed, build the corpus again")
    return _documents(path)


def _documents(path: Path) -> Iterator[Record]:
    with readable(path), gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield Record(**json.loads(line))


def _write_domains(config: Config, folder: Path, gates: Gates) -> dict[str, Any]:
    columns = TextColumn("{task.description}", markup=False), SpinnerColumn(), TimeElapsedColumn()
    domains = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for domain, sources in config.items():
            path = folder / f"{domain}{SUFFIX}"
            # Neither a name nor a time in the header: the same documents are the same bytes.
            with path.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed, io.TextIOWrapper(packed, "utf-8", newline="\n") as file:
                tallies = [_write_source(domain, source, file, gates, progress) for source in sources]
            domains[domain] = _domain_card(domain, path, sources, tallies)
    return domains


def _write_source(domain: str, source: Mapping[str, Any], file: io.TextIOBase, gates: Gates, progress: Progress) -> Tally:
    settings = dict(source)
    handling, tally = settings.pop("identifiers", "refuse"), Tally()
    line = progress.add_task(f"{domain}: {source['format']}", total=1)
    for record in read_corpus(settings.pop("format"), settings.pop("path", None), **settings):
        kept = gates.passed(record, handling, tally)
        if kept is not None:
            file.write(json.dumps(kept._asdict(), ensure_ascii=False) + "\n")
        if tally.read % SHOWN_EVERY == 0:
            progress.update(line, description=f"{domain}: {source['format']}, {tally.kept} of {tally.read} documents kept")
    progress.update(line, completed=1, description=f"{domain}: {source['format']}, {tally.kept} of {tally.read} documents kept")
    return tally


def _domain_card(domain: str, path: Path, sources: Sequence[Mapping[str, Any]], tallies: Sequence[Tally]) -> dict[str, Any]:
    """What is said of a domain.

    Raises:
        ValueError: no document is left.
    """
    kept = sum(tally.kept for tally in tallies)
    if not kept:
        gone = {name: sum(getattr(tally, name) for tally in tallies) for name in ("read", "empty", "refused", "contaminated", "duplicates")}
        lost = ", ".join(f"{name} {count}" for name, count in gone.items())
        raise ValueError(f"corpus, domain {domain!r}: no document is left ({lost}); add sources, or set identifiers to redact where many were refused")
    told = [{"settings": {"identifiers": "refuse"} | dict(source)} | vars(tally) for source, tally in zip(sources, tallies, strict=True)]
    return {"file": path.name, "sha256": digest(path), "documents": kept, "characters": sum(tally.characters for tally in tallies), "sources": told}


def _settings(cleaning: Cleaning) -> dict[str, Any]:
    return dataclasses.asdict(cleaning) | {"datasketch": importlib.metadata.version("datasketch")}


def _require_config(config: Any) -> None:
    """Every domain has a name that a file can have, and sources with a format and a known way with identifiers."""
    if not isinstance(config, Mapping) or not config:
        raise ValueError(f"corpus config: found {type(config).__name__}, expected domains with a list of sources each, as in configs/corpus/small.yaml")
    for domain, sources in config.items():
        if not isinstance(domain, str) or not re.fullmatch(r"[A-Za-z]\w*", domain):
            raise ValueError(f"corpus config, domain {domain!r}: expected a name of letters, digits and underscores; it becomes the name of a file")
        if not isinstance(sources, Sequence) or isinstance(sources, str) or not sources:
            raise ValueError(f"corpus config, domain {domain!r}: found {type(sources).__name__}, expected a list of sources, each with a format")
        for source in sources:
            _require_source(domain, source)


def _require_source(domain: str, source: Any) -> None:
    if not isinstance(source, Mapping) or "format" not in source:
        raise ValueError(f"corpus config, domain {domain!r}, field format: found {source!r}, expected a source such as {{format: jsonl, path: FILE}}")
    if source.get("identifiers", "refuse") not in get_args(Handling):
        raise ValueError(f"corpus config, domain {domain!r}, field identifiers: found {source['identifiers']!r}, expected {', '.join(get_args(Handling))}")
