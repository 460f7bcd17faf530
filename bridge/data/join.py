"""Rows of several sources become samples: joined by id exactly, by a rule the user names, or refused."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from bridge.data.spelling import EXACT, ID_RULES, NearestIds, apply_rules, foreign, loose
from encoders.base import unseen

IdRule = Sequence[str] | Callable[[str], str]


class IdSource(NamedTuple):
    """The ids of one file, in the order of its rows."""

    name: str
    file: str
    ids: Sequence[str]

    def __str__(self) -> str:
        return f"{self.name} ({self.file})"


class Join(NamedTuple):
    """Samples and where each is found: ``rows[source]`` is the row in that source, -1 where it has none."""

    ids: list[str]
    rows: dict[str, Int[np.ndarray, " samples"]]


def join_ids(sources: Sequence[IdSource], id_rule: IdRule = ()) -> Join:
    """Join rows whose ids are equal, sorted by id; a sample is spelled as in the first source that has it.

    Args:
        sources: Where the ids come from; every id once per source.
        id_rule: Names out of :data:`ID_RULES`, ``exact``, or a function of one id.

    Raises:
        ValueError: an id twice in one source; ids that a rule would make equal; few ids join although a rule that was
            not named would join more; a source that shares no id with any other.
    """
    rule = _as_function(id_rule)
    keys = {source.name: _keys(source, rule) for source in sources}
    if not callable(id_rule) and EXACT not in id_rule:
        for first, second in itertools.combinations(sources, 2):
            _refuse_unlike_spelling(first, second, tuple(id_rule))
    _refuse_a_source_apart(sources, keys)
    spelled: dict[str, str] = {}
    for source in sources:
        for key, sample in zip(keys[source.name], source.ids, strict=True):
            spelled.setdefault(key, sample)
    order = sorted(spelled, key=lambda key: spelled[key])
    return Join([spelled[key] for key in order], {name: _rows(order, found) for name, found in keys.items()})


def unjoined(sources: Sequence[IdSource], join: Join, left_out: dict[str, str]) -> pd.DataFrame:
    """Every sample that some source lacks or that was left out: where it is, where it is not, what looks like it.

    Args:
        sources: The sources that were joined.
        join: What :func:`join_ids` gave.
        left_out: Sample to the reason why it is not in the cohort.
    """
    present = {source.name: join.rows[source.name] >= 0 for source in sources}
    nearest = {source.name: NearestIds(source.ids) for source in sources}
    rows = []
    for place, sample in enumerate(join.ids):
        missing = [name for name, found in present.items() if not found[place]]
        if missing or sample in left_out:
            found = [name for name in present if name not in missing]
            alike = [f"{name}: {', '.join(nearest[name].find(sample))}" for name in missing]
            rows.append((sample, "no" if sample in left_out else "yes", left_out.get(sample, ""), "; ".join(found), "; ".join(missing), "; ".join(alike)))
    return pd.DataFrame(rows, columns=["id", "in_cohort", "left_out_because", "found_in", "missing_in", "nearest_ids"])


def _as_function(id_rule: IdRule) -> Callable[[str], str]:
    if callable(id_rule):
        return id_rule
    unknown = [name for name in id_rule if name not in ID_RULES and name != EXACT]
    if unknown or (EXACT in id_rule and len(id_rule) > 1) or isinstance(id_rule, str):
        raise ValueError(f"id rule: found {id_rule!r}, expected a list of {', '.join(ID_RULES)}, or {EXACT} alone")
    return lambda text: apply_rules(id_rule, text)


def _keys(source: IdSource, rule: Callable[[str], str]) -> list[str]:
    """Ids under the rule; both the ids and what the rule makes of them are found once."""
    ids = list(source.ids)
    if "" in ids:
        raise ValueError(f"ids of {source}: row {ids.index('') + 1} has an empty id; expected an id in every row")
    unreadable = next((each for each in ids if unseen(each) or foreign(each)), None)
    if unreadable is not None:
        sign = foreign(unreadable) or "a sign that nobody sees"
        raise ValueError(f"ids of {source}: {unreadable!a} holds {sign}, expected signs of one script; write the id again")
    repeated = [each for each, count in Counter(ids).items() if count > 1]
    if repeated:
        rows = [row for row, each in enumerate(ids, start=1) if each == repeated[0]]
        raise ValueError(f"ids of {source}: {repeated[0]!r} is in rows {rows[:5]}, {len(repeated)} ids in all are repeated; expected every id once")
    seen: dict[str, str] = {}
    for sample in ids:
        other = seen.setdefault(rule(sample), sample)
        if other != sample:
            found = f"the id rule makes {other!r} and {sample!r} the same id {rule(sample)!r}"
            raise ValueError(f"ids of {source}: {found}; expected ids that stay unique; leave the rule out or rename one")
    return list(seen)


def _rows(order: Sequence[str], keys: Sequence[str]) -> Int[np.ndarray, " samples"]:
    row = {key: place for place, key in enumerate(keys)}
    return np.array([row.get(key, -1) for key in order], dtype=np.int64)


def _refuse_unlike_spelling(first: IdSource, second: IdSource, rules: tuple[str, ...]) -> None:
    """Few exact joins and many under another rule mean two spellings of the same ids: ask rather than guess."""
    joined = len({apply_rules(rules, each) for each in first.ids} & {apply_rules(rules, each) for each in second.ids})
    better, pairs = _better_rules(first, second, rules)
    if not better:
        return
    smaller = min(len(first.ids), len(second.ids))
    alike = ", ".join(f"{left!r} and {right!r}" for left, right in pairs[:3])
    count = f"ids of {first} and {second}: {joined} of {smaller} join, {len(pairs)} more would under another spelling, for example {alike}"
    if 2 * joined >= smaller:
        warnings.warn(f"{count}; to join them: --id-rule {' '.join(better)}", stacklevel=2)
        return
    nearest = ", ".join(repr(each) for each in NearestIds(second.ids).find(pairs[0][0]))
    raise ValueError(f"{count}; nearest to {pairs[0][0]!r}: {nearest}.\nJoin them with --id-rule {' '.join(better)}, or keep them apart with --id-rule {EXACT}")


def _better_rules(first: IdSource, second: IdSource, rules: tuple[str, ...]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The fewest rules that join the most ids beyond those that join already, and the pairs of ids they add."""
    known, alike = {apply_rules(rules, each) for each in second.ids}, {loose(each) for each in second.ids}
    if not any(loose(each) in alike for each in first.ids if apply_rules(rules, each) not in known):
        return (), []
    best: tuple[tuple[str, ...], list[tuple[str, str]]] = ((), [])
    names = [name for name in ID_RULES if name not in rules]
    for size in range(1, len(names) + 1):
        for added in itertools.combinations(names, size):
            chosen = tuple(name for name in ID_RULES if name in (*rules, *added))
            pairs = _pairs(first.ids, second.ids, chosen, rules)
            best = (chosen, pairs) if len(pairs) > len(best[1]) else best
    return best


def _pairs(first: Sequence[str], second: Sequence[str], chosen: Sequence[str], rules: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs that join under ``chosen`` and not under ``rules``; none where ``chosen`` would make two ids of one source equal."""
    left, right = {apply_rules(chosen, each): each for each in first}, {apply_rules(chosen, each): each for each in second}
    if len(left) < len(first) or len(right) < len(second):
        return []
    shared = [(each, right[key]) for key, each in left.items() if key in right]
    return [(one, other) for one, other in shared if apply_rules(rules, one) != apply_rules(rules, other)]


def _refuse_a_source_apart(sources: Sequence[IdSource], keys: dict[str, list[str]]) -> None:
    for source in sources:
        others = [other for other in sources if other.name != source.name]
        if not others or any(not set(keys[source.name]).isdisjoint(keys[other.name]) for other in others):
            continue
        sample = source.ids[0]
        nearest = ", ".join(repr(each) for each in NearestIds(itertools.chain(*(other.ids for other in others))).find(sample))
        where = " or ".join(str(other) for other in others)
        raise ValueError(f"ids of {source}: none is in {where}; first {sample!r}, nearest there {nearest}; expected ids of the same samples (see --id-column)")
