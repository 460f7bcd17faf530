"""Knowledge of a whole release, made once and kept in the cache: reading its half a million rows takes far longer than reading what was made of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from bridge.cases.knowledge import Disease, Finding, Knowledge, Removed, read_annotations
from bridge.data.hpo import Ontology
from bridge.data.releases import SourceFiles
from bridge.data.sources import default_cache
from bridge.data.whole import whole_file

FORM = 1  # of the cached file; another one when what is kept changes
FIELDS = ("phenotypes", "excluded", "inheritance", "onset")


def cached_knowledge(files: SourceFiles, ontology: Ontology, cache: Path | None = None) -> Knowledge:
    """Knowledge with nothing left out, from the cache or else from the release.

    Args:
        files: Of the release; their content names the file in the cache.
        ontology: Of the same release.
        cache: Folder, :func:`bridge.data.sources.default_cache` when not given.
    """
    path = Path(cache or default_cache()) / f"hpo-knowledge-{_digest(files)}.json"
    found = _read(path)
    if found is None:
        found = read_annotations(files.disorders, files.genes, ontology).without(())
        _write(found, path)
    return found


def knowledge_without(knowledge: Knowledge, publications: Collection[str]) -> Knowledge:
    """Knowledge without a finding that cites one of these publications; a gene's link goes with the last phenotype of its disease."""
    hidden, taken = frozenset(publications), Removed(0, 0, 0, 0)
    if not hidden:
        return knowledge
    diseases = {name: _without(disease, hidden) for name, disease in knowledge.diseases.items()}
    changed = {name for name, disease in diseases.items() if disease is not knowledge.diseases[name]}
    emptied = {name for name in changed if not diseases[name].phenotypes}
    links = {symbol: frozenset(found - emptied) for symbol, found in knowledge.links.items()}
    gone = sum(len(knowledge.diseases[name].findings) - len(diseases[name].findings) for name in changed)
    lost = sum(len(found) - len(links[symbol]) for symbol, found in knowledge.links.items())
    taken = Removed(gone, len(changed), len(emptied), lost)
    return dataclasses.replace(knowledge, diseases=diseases, links=links, removed=taken)


def _without(disease: Disease, hidden: frozenset[str]) -> Disease:
    """The disease itself where nothing of it cites them."""
    if all(hidden.isdisjoint(each.references) for each in disease.findings):
        return disease
    return disease._replace(**{field: tuple(each for each in getattr(disease, field) if hidden.isdisjoint(each.references)) for field in FIELDS})


def _digest(files: SourceFiles) -> str:
    """Of the three files together, so that another release is another file."""
    found = hashlib.sha256(f"form {FORM}".encode())
    for path in (files.ontology, files.disorders, files.genes):
        with Path(path).open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()[:16]


def _write(knowledge: Knowledge, path: Path) -> None:
    """Terms of a disease as lists of term, frequency and references."""
    diseases = [[each.id, each.name, *(getattr(each, field) for field in FIELDS)] for each in knowledge.diseases.values()]
    links = {symbol: sorted(found) for symbol, found in knowledge.links.items()}
    with whole_file(path) as partial:
        partial.write_text(json.dumps({"release": knowledge.release, "diseases": diseases, "links": links}), encoding="utf-8")


def _read(path: Path) -> Knowledge | None:
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        diseases = (Disease(name, label, *map(_findings, some)) for name, label, *some in kept["diseases"])
        links = {symbol: frozenset(found) for symbol, found in kept["links"].items()}
        return Knowledge({each.id: each for each in diseases}, links, kept["release"], Removed(0, 0, 0, 0))
    except (ValueError, KeyError, TypeError):  # a damaged file of a cache is made again
        return None


def _findings(rows: list) -> tuple[Finding, ...]:
    return tuple(Finding(term, frequency, tuple(references)) for term, frequency, references in rows)
