"""``bridge evaluate instructions``: the held-out part of an instruction set, each family before and after tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from bridge.benchmark.answerers import BASE, base_of, kept, opened
from bridge.benchmark.medical import FILE, in_words, verdict, write_items
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task
from bridge.evaluate.retrieval import bootstrap_interval
from bridge.instructions.item import FAMILIES, Instruction, read_instructions
from bridge.medical.ask import LONGEST, judged_answers, written
from bridge.medical.benchmarks import drawn
from bridge.medical.scores import Interval, Scored, difference, paired_p

CLOSED_BOOK = "closed-book"
COMMONEST = "commonest answer"
PROTOCOL = (
    "{path}: {n} test items{left_out}, asked in words, greedy, at most {longest} tokens. score is right or wrong for a choice, F1 of a set of labels or items, "
    "F1 over words of an answer in words, ROUGE-L of a summary; unparsed says how many answers said nothing that was asked for. {commonest}: what training "
    "answers most often to the same kind of question. Intervals: 95 % bootstrap over groups (genes, diseases, documents), seed {seed}; differences on the "
    "same draws, p of a signed-rank test over groups. new wording: items whose wording training does not have; closed book: no text to read it from."
)


class Instructions(Task):
    """A tuned model and its base on the test part of an instruction set.

    Args:
        data: Folder of the instruction set, with test.jsonl and, for what is new in it, train.jsonl.
        bundle: The tuned bundle.
        base: LLM or bundle to compare with; the LLM that the bundle was made of by default.
        limit: Items of each family, drawn by the seed; all by default.
    """

    title: ClassVar[str] = "Instructions before and after tuning"

    def __init__(self, data: str | None = None, bundle: str | None = None, base: str | None = None, limit: int | None = None):
        self.data, self.bundle, self.base, self.limit = data, bundle, base, limit

    def run(self, record: Record) -> None:
        if not self.data or not self.bundle:
            raise ValueError("instructions, fields data and bundle: found nothing, expected the folder of an instruction set and a tuned bundle")
        test = self._test(Path(self.data))
        items = [item for family in FAMILIES for item in drawn([item for item in test if item.family == family and not item.sample], self.limit, record.seed)]
        if not items:
            raise ValueError(f"{self.data}/test.jsonl: no item is asked in words alone, expected some")
        training = list(read_instructions(Path(self.data) / "train.jsonl")) if (Path(self.data) / "train.jsonl").is_file() else []
        record.words("Protocol", self._protocol(len(items), sum(bool(item.sample) for item in test), record.seed))
        results = {COMMONEST: judged_answers(items, commonest(training, items))} if training else {}
        results |= self._answered(items, record.out)
        put_instructions(record, results, {item.template for item in training})
        write_items(record.out / FILE, {"instructions": results})

    def _test(self, folder: Path) -> list[Instruction]:
        path = folder / "test.jsonl"
        if not path.is_file():
            raise ValueError(f"{path}: no such file, expected the test part of an instruction set; give its folder with --data")
        found = list(read_instructions(path))
        if len({item.id for item in found}) < len(found):
            raise ValueError(f"{path}: {len(found) - len({item.id for item in found})} ids come twice, expected each once; build the set again")
        return found

    def _protocol(self, n: int, left_out: int, seed: int) -> str:
        said = f" ({left_out} more have soft tokens in front and are left out)" if left_out else ""
        longest = ", ".join(f"{tokens} ({judged})" for judged, tokens in LONGEST.items())
        return PROTOCOL.format(path=f"{self.data}/test.jsonl", n=n, left_out=said, longest=longest, commonest=COMMONEST, seed=seed)

    def _answered(self, items: Sequence[Instruction], folder: Path) -> dict[str, list[Scored]]:
        tuned = opened(self.bundle)
        ours = written(kept(tuned, folder), items)
        base = opened(self.base, BASE) if self.base else base_of(tuned)
        return {BASE: written(kept(base, folder), items), OURS: ours}


def commonest(training: Sequence[Instruction], items: Sequence[Instruction]) -> list[str]:
    """What training answers most often to questions of the same kind, '' where it has none of it."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for item in training:
        counts.setdefault(_kind(item), Counter())[item.answer] += 1
    best = {kind: min(answers, key=lambda answer, answers=answers: (-answers[answer], answer)) for kind, answers in counts.items()}
    return [best.get(_kind(item), "") for item in items]


def put_instructions(record: Record, results: dict[str, list[Scored]], wordings: set[str]) -> None:
    """Rows and a table by family and its parts, and a verdict for each."""
    items, told, table = [one.item for one in results[OURS]], {}, []
    for name, rows in parts(items, wordings).items():
        some = {method: [found[row] for row in rows] for method, found in results.items()}
        change = mean_difference(some[OURS], some[BASE], record.seed)
        figures = {method: _put(record, name, method, found, some[BASE] if method == OURS else None) for method, found in some.items()}
        told[name] = change
        table.append((name, str(len(rows)), *map(in_words, figures.values()), verdict(change, "tuned", "base")))
    record.table("By family", ("family", "n", *results, "verdict"), table)
    families = [name for name in told if name in FAMILIES]
    for name, change in told.items():
        record.words("Verdict", f"{name}: {verdict(change, 'tuned', 'base')}.")
    above = [name for name in families if told[name].low is not None and told[name].low > 0]
    record.words("Verdict", f"Tuned is above base, interval excluding 0, in {len(above)} of {len(families)} families.")


def parts(items: Sequence[Instruction], wordings: set[str]) -> dict[str, list[int]]:
    """Rows of each family, and of what in it is closed book or newly worded, where that is not all or none of it."""
    found: dict[str, list[int]] = {}
    for family in dict.fromkeys(item.family for item in items):
        rows = [row for row, item in enumerate(items) if item.family == family]
        closed = [row for row in rows if items[row].template.startswith(CLOSED_BOOK)]
        new = [row for row in rows if wordings and items[row].template and items[row].template not in wordings]
        found[family] = rows
        for name, some in (("closed book", closed), ("new wording", new)):
            rest = sorted(set(rows) - set(some))
            if some and rest:
                found |= {f"{family}, {name}": some, f"{family}, not {name}": rest}
    return found


def mean_difference(ours: Sequence[Scored], base: Sequence[Scored], seed: int) -> Interval:
    """Mean score of ours minus that of the base, over the same groups."""
    plain = [[one._replace(means={"score": one.score}) for one in each] for each in (ours, base)]
    return difference(*plain, "score", seed=seed)


def _put(record: Record, name: str, method: str, found: Sequence[Scored], base: Sequence[Scored] | None) -> Interval:
    groups = [one.item.unit for one in found]
    scores, unparsed = (np.array(values, dtype=float) for values in ([one.score for one in found], [one.means["unparsed"] for one in found]))
    figure = Interval(float(scores.mean()), *bootstrap_interval(scores, groups, seed=record.seed))
    record.row("score", method, *figure[:1], n=len(found), direction=name, low=figure.low, high=figure.high, p=paired_p(found, base) if base else None)
    record.row("unparsed", method, float(unparsed.mean()), n=len(found), direction=name)
    return figure


def _kind(item: Instruction) -> tuple[str, str]:
    return item.family, item.template.partition("/")[0]
