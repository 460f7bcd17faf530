"""Which cases are for testing: by gene, and none that shares a publication or a further gene with a test case stays for anything else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from bridge.cases.case import Case

TRAIN, VALIDATION, TEST = "train", "validation", "test"

Kin = tuple[str, str]  # ("gene", its symbol) or ("publication", its id)


def split_of(symbol: str) -> str:
    """Split of a gene, from its symbol alone: a tenth is for testing, a tenth for validation, whatever else there is."""
    return {0: TEST, 1: VALIDATION}.get(int(hashlib.sha256(symbol.encode("utf-8")).hexdigest(), 16) % 10, TRAIN)


def split_cases(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by split; a case without a gene goes by its disease.

    Cases of other genes that share a publication, or a further gene, with a test case are left out, then those of training that share one with validation.
    """
    found: dict[str, list[Case]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for case in cases:
        found[split_of(case.unit)].append(case)
    found[VALIDATION] = _apart(found[VALIDATION], found[TEST])
    found[TRAIN] = _apart(found[TRAIN], [*found[TEST], *found[VALIDATION]])
    require_apart(found)
    return found


def publications(cases: Iterable[Case]) -> frozenset[str]:
    """Every publication of these cases."""
    return frozenset(name for case in cases for name in case.publications)


def require_apart(splits: Mapping[str, Sequence[Case]]) -> None:
    """Refuse splits that share a gene or a publication.

    Raises:
        ValueError: names the gene or the publication, the case and both splits.
    """
    genes: dict[str, str] = {}
    papers: dict[str, str] = {}
    for split, cases in splits.items():
        for case in cases:
            for name in case.units:
                _require(genes, name, split, f"case {case.id!r}: gene or disease {name}")
            for name in case.publications:
                _require(papers, name, split, f"case {case.id!r}: publication {name}")


def _require(seen: dict[str, str], name: str, split: str, told: str) -> None:
    if seen.setdefault(name, split) != split:
        raise ValueError(f"{told} is in the splits {seen[name]} and {split}, expected one; split the cases with split_cases")


def kin_of(case: Case) -> frozenset[Kin]:
    """Genes and publications: cases that share one stay together."""
    return frozenset({*(("gene", name) for name in case.units), *(("publication", name) for name in case.publications)})


def groups_of(cases: Sequence[Case]) -> list[str]:
    """The group of each case: all that are connected by shared genes and publications, named after the first gene in the alphabet."""
    leader: dict[Kin, Kin] = {}

    def top(name: Kin) -> Kin:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for case in cases:
        first, *others = sorted(kin_of(case))
        for name in others:
            one, other = sorted((top(first), top(name)))
            leader[other] = one
    return [str(top(("gene", case.unit))[1]) for case in cases]


def _apart(cases: Sequence[Case], other: Sequence[Case]) -> list[Case]:
    taken = frozenset().union(*map(kin_of, other))
    return [case for case in cases if taken.isdisjoint(kin_of(case))]
