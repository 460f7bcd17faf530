"""The gallery of a bundle: what lies near a sample in the shared space, how its sides agree, and where it lies among others."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float16
from scipy.special import expit
from torch import Tensor

from bridge.model import SemanticBridge
from bridge.project.space import JOINT
from bridge.retrieve.embed import side_vectors
from bridge.retrieve.lists import LISTED
from bridge.retrieve.nearest import Best, Nearest
from bridge.retrieve.schema import Agreement, Candidate, CandidateKind, Point, Position, Retrieved

#: Samples shown around a sample, and how many of them are its nearest.
SHOWN, MARKED = 200, 10
#: Two vectors whose cosine is nearer to 1 than this are one.
SAME = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """A list that is searched.

    Args:
        kind: What its items are.
        ids: Their ids, each once.
        labels: Their names, or the beginnings of their texts.
        source: Where they come from, with release, and how many of how many there are.
        stored: Vectors in the shared space, in half precision.
    """

    kind: CandidateKind
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    source: str
    stored: Float16[np.ndarray, "candidates dim"]

    @functools.cached_property
    def vectors(self) -> Float[np.ndarray, "candidates dim"]:
        """Unit vectors in single precision."""
        values = self.stored.astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)


def candidates(kind: CandidateKind, ids: Sequence[str], labels: Sequence[str], source: str, vectors: Float[np.ndarray, "candidates dim"]) -> Candidates:
    """A list in the precision in which a bundle keeps it, so that a loaded gallery gives the same."""
    return Candidates(kind, tuple(ids), tuple(labels), source, vectors.astype(np.float16))


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """How one side looks at one list: candidates are ordered by ``scale * cosine + offset``.

    Args:
        side: Modality, or several joined by '+'.
        candidates: Number of the list.
        scale: Per candidate.
        offset: Per candidate.
        prior: Probability of each before anything is known of a sample, where the order is by log odds that were fitted on the validation
            split; None where it is by the cosine less half of what makes a hub.
    """

    side: str
    candidates: int
    scale: Float[np.ndarray, " candidates"]
    offset: Float[np.ndarray, " candidates"]
    prior: Float[np.ndarray, " candidates"] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Cosines between two sides in the validation split, in rising order: of the same sample, and of samples of different groups."""

    between: tuple[str, str]
    true: Float[np.ndarray, " true"]
    mismatched: Float[np.ndarray, " mismatched"]


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """The first two principal components of the samples of a list.

    Args:
        side: Whose vectors they are.
        candidates: Number of the list.
        mean: Of the vectors.
        axes: Unit vectors; the largest weight of each is positive.
        shown: Share of the variance in the plane.
    """

    side: str
    candidates: int
    mean: Float[np.ndarray, " dim"]
    axes: Float[np.ndarray, "2 dim"]
    shown: float


class Gallery:
    """Vectors of the training split and of what it lists, in the shared space of one bridge.

    Nothing of the validation and test splits is a candidate; of the validation split it holds what was fitted, and cosines without ids.

    Args:
        space: Digest of the shared space the vectors lie in, see :func:`space_digest`.
        lists: What is searched.
        views: Which side searches which list, in the order in which a report shows them.
        pairs: Cosines to compare two sides with.
        planes: Where samples lie.
        columns: Text columns that the vectors rest on.
    """

    def __init__(
        self, space: str, lists: Sequence[Candidates], views: Sequence[View], pairs: Sequence[Pairs], planes: Sequence[Plane], columns: Sequence[str] = ()
    ):
        self.space, self.lists, self.views, self.pairs, self.planes, self.columns = space, list(lists), list(views), list(pairs), list(planes), tuple(columns)

    def fits(self, bridge: SemanticBridge) -> bool:
        """Whether the vectors lie in the shared space of this bridge."""
        return bridge.space is not None and space_digest(bridge) == self.space

    def told(self) -> str:
        """What it holds, for whoever passes the bundle on."""
        counts = ", ".join(f"{len(listed.ids):,} of kind {listed.kind.value} ({listed.source})" for listed in self.lists)
        return f"Vectors, ids and names of what a sample is compared with, and the beginnings of texts: {counts}."

    def search(
        self,
        bridge: SemanticBridge,
        values: Mapping[str, np.ndarray | Tensor],
        top: int = 5,
        *,
        sample: str = "",
        own: Mapping[CandidateKind, frozenset[str]] | None = None,
    ) -> tuple[Retrieved, ...]:
        """The nearest candidates of every kind to every side of one sample.

        Args:
            bridge: The bridge of the bundle.
            values: Modality to normalised values ``[features]`` or ``[1, features]`` of the sample.
            top: Candidates of each kind and side.
            sample: Its id; a training sample is no neighbour of itself, and its text none of its own.
            own: Ids that the sample's own lists hold, by kind; None where nothing is known.
        """
        sides, own = _sides(bridge, values), own or {}
        return tuple(self._near(number, sides[view.side], top, sample, own) for number, view in enumerate(self.views) if view.side in sides)

    def agreement(self, bridge: SemanticBridge, values: Mapping[str, np.ndarray | Tensor]) -> tuple[Agreement, ...]:
        """How near the sides of one sample lie to each other; nothing where fewer than two are given."""
        sides = _sides(bridge, values)
        return tuple(_agreement(pairs, float(sides[pairs.between[0]] @ sides[pairs.between[1]])) for pairs in self.pairs if set(pairs.between) <= set(sides))

    def position(self, bridge: SemanticBridge, values: Mapping[str, np.ndarray | Tensor], *, sample: str = "") -> Position | None:
        """Where one sample lies among those of the training split, seen from the side with most modalities; None where there are none to see."""
        sides = _sides(bridge, values)
        planes = sorted((plane for plane in self.planes if plane.side in sides), key=lambda plane: -plane.side.count(JOINT))
        return self._place(planes[0], sides[planes[0].side], sample) if planes else None

    @functools.cached_property
    def _nearest(self) -> list[Nearest]:
        lists = [self.lists[view.candidates] for view in self.views]
        return [Nearest(each.vectors, view.scale, view.offset, each.ids) for view, each in zip(self.views, lists, strict=True)]

    def _near(self, number: int, query: np.ndarray, top: int, sample: str, own: Mapping[CandidateKind, frozenset[str]]) -> Retrieved:
        view, nearest = self.views[number], self._nearest[number]
        listed = self.lists[view.candidates]
        best = nearest.best(query, top, without="" if listed.kind in LISTED else _itself(listed, query, sample))
        known, (probability, prior) = own.get(listed.kind), _chances(view, best)
        items = (_candidate(listed, row, query, *each, known) for row, *each in zip(best.rows.tolist(), probability, prior, strict=True))
        return Retrieved(query=view.side, kind=listed.kind, items=tuple(items), candidates=len(listed.ids), exact=nearest.exact, source=listed.source)

    def _place(self, plane: Plane, query: np.ndarray, sample: str) -> Position:
        listed = self.lists[plane.candidates]
        sample = _itself(listed, query, sample)
        cosines = np.where([each == sample for each in listed.ids], -np.inf, listed.vectors @ query)
        near = np.argsort(-cosines, kind="stable")[: min(MARKED, int(np.isfinite(cosines).sum()))].tolist()
        rest = [row for row in np.random.default_rng(0).permutation(len(listed.ids)).tolist() if row not in near and listed.ids[row] != sample]
        rows = sorted([*near, *rest[: SHOWN - len(near)]])
        places = (listed.vectors[rows] - plane.mean) @ plane.axes.T
        marked = zip(rows, places.tolist(), strict=True)
        others = tuple(Point(id=listed.ids[row], label=listed.labels[row], x=x, y=y, near=row in near) for row, (x, y) in marked)
        x, y = ((query - plane.mean) @ plane.axes.T).tolist()
        return Position(query=plane.side, x=x, y=y, others=others, shown=plane.shown)


def space_digest(bridge: SemanticBridge) -> str:
    """SHA-256 of every weight that places a sample in the shared space."""
    digest = hashlib.sha256()
    for name, tensor in sorted(_placing(bridge)):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode() + values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _placing(bridge: SemanticBridge) -> Iterator[tuple[str, Tensor]]:
    yield from ((f"space.{name}", tensor) for name, tensor in bridge.space.state_dict().items())
    yield from ((f"encoders.{name}", tensor) for name, tensor in bridge.encoders.state_dict().items())
    for modality, projector in bridge.projectors.items():
        for number, part in enumerate(projector.aligned() or [projector]):
            yield from ((f"projectors.{modality}.{number}.{name}", tensor) for name, tensor in part.state_dict().items())


def _sides(bridge: SemanticBridge, values: Mapping[str, np.ndarray | Tensor]) -> dict[str, Float[np.ndarray, " dim"]]:
    """The unit vector of every side that the sample has."""
    batch = {modality: torch.atleast_2d(torch.as_tensor(row)).float() for modality, row in values.items() if modality in bridge.projectors}
    many = next((len(rows) for rows in batch.values() if len(rows) != 1), 1)
    if many != 1:
        raise ValueError(f"retrieval: found {many} samples, expected one")
    return {side: vectors[0] for side, vectors in side_vectors(bridge, batch).items() if np.isfinite(vectors).all()}


def _agreement(pairs: Pairs, cosine: float) -> Agreement:
    below = [float(np.searchsorted(some, cosine) / len(some)) for some in (pairs.true, pairs.mismatched)]
    return Agreement(between=pairs.between, cosine=cosine, above_true=below[0], above_mismatched=below[1], pairs=len(pairs.true))


def _itself(listed: Candidates, query: np.ndarray, sample: str) -> str:
    """What a list calls the sample: by its id, or where ids stayed at home by a vector that is its own."""
    if not sample or sample in listed.ids or listed.kind is not CandidateKind.SAMPLE or not len(listed.ids):
        return sample
    cosines = listed.vectors @ query
    return listed.ids[int(cosines.argmax())] if cosines.max() > 1 - SAME else sample


def _chances(view: View, best: Best) -> tuple[list[float | None], list[float | None]]:
    """Probabilities of the best candidates, now and before anything was known; nothing where the view is not calibrated."""
    if view.prior is None:
        return [None] * len(best.rows), [None] * len(best.rows)
    return expit(best.scores).tolist(), view.prior[best.rows].tolist()


def _candidate(listed: Candidates, row: int, query: np.ndarray, probability: float | None, prior: float | None, known: frozenset[str] | None) -> Candidate:
    here, score = None if known is None else listed.ids[row] in known, _cosine(listed.vectors[row], query)
    return Candidate(id=listed.ids[row], label=listed.labels[row], score=score, probability=probability, prior=prior, here=here)


def _cosine(vector: np.ndarray, query: np.ndarray) -> float:
    return float(np.clip(vector.astype(float) @ query, -1, 1))
