"""What a report says of the regions of a map, one by one, held against the numbers of the map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.benchmark.effect_maps import EffectMap
from bridge.evaluate.audit import permutation_p
from bridge.language import grammar
from bridge.language.subject import RegionValues
from bridge.report.claims.parse import claims_in
from bridge.report.schema import Claim, Direction, Verdict
from bridge.report.verify import extreme_verdict

ENDS = {Direction.HIGHER: grammar.HIGHEST, Direction.LOWER: grammar.LOWEST}
SIDES = {"left ": "right ", "right ": "left "}

#: Up to so many groups every assignment is tried.
EXACT = 7


class Named(NamedTuple):
    """A region that a report names.

    Args:
        region: Its name.
        end: Named as highest or as lowest.
        place: 0 for the first region named at this end.
        known: Whether the bridge has a region of this name.
    """

    region: str
    end: Direction
    place: int
    known: bool


def named_in(text: str, names: Sequence[str]) -> list[Named]:
    """Regions that a report names as highest or lowest, in its order; a repetition counts once."""
    found: dict[tuple[str, Direction], Claim] = {}
    for claim in claims_in(text, {"map": tuple(names)}, {}):
        if claim.direction in ENDS and claim.than is None:
            found.setdefault((claim.entity, claim.direction), claim)
    places = dict.fromkeys(ENDS, 0)
    listed = []
    for region, end in found:
        listed.append(Named(region, end, places[end], region in names))
        places[end] += 1
    return listed


def judged_claims(named: Sequence[Named], values: Float[np.ndarray, " regions"], names: Sequence[str]) -> dict[str, float | None]:
    """Shares of the named and measured regions whose side, direction, sign and order are those of the table; None where there is nothing to judge."""
    value = dict(zip(names, values.tolist(), strict=True))
    told = [each for each in named if np.isfinite(value.get(each.region, np.nan))]
    if not told:
        return dict.fromkeys(("side", "direction", "sign", "size"))
    signs = {each: 1 if each.end is Direction.HIGHER else -1 for each in told}
    middle = float(np.nanmedian(values))
    sides = [signs[each] * (value[each.region] - value[other]) for each in told if np.isfinite(value.get(other := _other_side(each.region), np.nan))]
    return {
        "side": _share([difference > 0 for difference in sides if difference != 0]),
        "direction": _share([signs[each] * (value[each.region] - middle) > 0 for each in told]),
        "sign": _share([signs[each] * value[each.region] > 0 for each in told]),
        "size": _share(_ordered([(_height(each), value[each.region]) for each in told])),
    }


def unmeasured(texts: Sequence[str], values: np.ndarray, names: Sequence[str]) -> Float[np.ndarray, " texts"]:
    """Share of what each text names that its table has no value for, or the atlas no region."""
    shares = []
    for text, row in zip(texts, values, strict=True):
        value = dict(zip(names, row.tolist(), strict=True))
        shares.append(_share([not np.isfinite(value.get(each.region, np.nan)) for each in named_in(text, names)]))
    return np.array(shares, dtype=float)


def lines(effect: EffectMap, text: str, values: Float[np.ndarray, " regions"], names: Sequence[str]) -> list[tuple[str, ...]]:
    """A line per region that a report names: map, region, end, d, interval, p, rank from that end, and the verdict of the claim checker."""
    regions = RegionValues(tuple(names), values)
    told = [_line(effect, each, regions) for each in named_in(text, names)]
    return [(effect.name, *line) for line in told] or [(effect.name, "none", "", "", "", "", "", "silent")]


def _line(effect: EffectMap, each: Named, regions: RegionValues) -> tuple[str, ...]:
    said = each.region, ENDS[each.end]
    rank = regions.rank(each.region, ENDS[each.end]) if each.known else None
    if rank is None:
        return (*said, "", "", "", "", Verdict.NOT_IN_INPUT.value)
    row = effect.table.loc[each.region]
    interval = f"{row['low']:.2f} to {row['high']:.2f}" if np.isfinite(row["low"]) else ""
    p = f"{row['p']:.2g}" if np.isfinite(row["p"]) else ""
    return (*said, f"{row['d']:.2f}", interval, p, f"{rank} of {regions.measured}", extreme_verdict(regions, each.region, each.end).value)


def between_disorders(share: Float[np.ndarray, "texts truths"], disorders: np.ndarray) -> Float[np.ndarray, "disorders disorders"]:
    """Mean score of a disorder's reports against each disorder's maps; against its own, each report is held to its own map."""
    names = list(dict.fromkeys(disorders.tolist()))
    own = np.where(np.eye(len(share), dtype=bool), share, np.nan)
    table = np.full((len(names), len(names)), np.nan)
    for row, column in itertools.product(range(len(names)), repeat=2):
        block = (own if row == column else share)[np.ix_(disorders == names[row], disorders == names[column])]
        table[row, column] = block[np.isfinite(block)].mean() if np.isfinite(block).any() else np.nan
    return table


def assignment_p(table: Float[np.ndarray, "groups groups"], seed: int = 0) -> float | None:
    """Share of the assignments of truths to texts that score at least as well as the right one, which is counted; None below two groups."""
    kept = np.isfinite(np.diagonal(table))
    table = table[np.ix_(kept, kept)]
    count = len(table)
    if count < 2 or not np.isfinite(table).all() or count > EXACT:
        return permutation_p(table, seed=seed)["p"]
    means = np.array([table[np.arange(count), order].mean() for order in map(list, itertools.permutations(range(count)))])
    return float((means >= means[0] - 1e-12).mean())


def _other_side(region: str) -> str:
    return next((other + region.removeprefix(side) for side, other in SIDES.items() if region.startswith(side)), "")


def _height(each: Named) -> int:
    """Where the report puts a region: the first named as highest on top, the first named as lowest at the bottom."""
    return -each.place if each.end is Direction.HIGHER else each.place - 1_000


def _ordered(pairs: Sequence[tuple[int, float]]) -> list[bool]:
    """Whether two regions of different size are in the order of their size, for each pair of them."""
    both = itertools.combinations(pairs, 2)
    return [(one[0] > other[0]) == (one[1] > other[1]) for one, other in both if one[1] != other[1] and one[0] != other[0]]


def _share(right: Sequence[bool]) -> float | None:
    return float(np.mean(right)) if len(right) else None
