"""``bridge evaluate medical``: the benchmarks that Me-LLaMA reports, strictly scored, beside the commonest answer and TF-IDF."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from bridge.benchmark.answerers import BASE, base_of, kept, opened
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Skipped, Task, data_folder
from bridge.data.whole import whole_file
from bridge.instructions.item import Instruction
from bridge.language.llm import DEFAULT
from bridge.medical.answer import BundleAnswerer
from bridge.medical.ask import LONGEST, judged_answers, likeliest, written
from bridge.medical.benchmarks import BENCHMARKS, Benchmark, drawn, splits
from bridge.medical.comparators import EndpointAnswerer, RecordedAnswers
from bridge.medical.floors import can_learn, majority, tfidf
from bridge.medical.scores import Interval, Scored, difference, interval, paired_p

FLOORS = ("majority", "tfidf")
FILE = "items.jsonl"
PROTOCOL = (
    "Zero-shot, greedy, at most {longest} tokens. An answer counts in defined forms alone (a letter alone, in brackets or behind 'the answer is', "
    "a choice that an answer begins with, an option's whole text, lists of whole names); any other is wrong, and unparsed says how many. "
    "likelihood: the likeliest choice as it is asked for; likelihood of text: of the options' texts, log-probability divided by their letters. "
    "macro_f1 is over the classes that the truth of the scored items has. Labels and items are sets of normal spellings; f1 counts every item once. "
    "relation_f1 counts every class but that of no relation. majority: the commonest answer of the training split, of the test split itself where there "
    "is no other. tfidf: TF-IDF and logistic regression, fitted on the training split, its setting chosen on a fifth of its groups. "
    "Intervals: 95 % bootstrap over documents, seed {seed}; differences on the same draws, p of a signed-rank test on the items' own scores."
)
PRIVATE = "The text of {names} may not be passed on, and answers in {file} may quote it; ids there are running numbers."


class Asked(NamedTuple):
    """A benchmark with the items that are scored, how many there are in all, and what may be learned from."""

    name: str
    about: Benchmark
    items: list[Instruction]
    whole: int
    training: list[Instruction]


class Medical(Task):
    """The benchmarks that Me-LLaMA reports, in words.

    Args:
        bundle: A bundle whose LLM answers; beside it that LLM without its adapter.
        llm: A bare LLM instead, by its folder or name; the default one where nothing answers otherwise.
        base: LLM or bundle to compare with.
        benchmarks: Names; all by default.
        folders: Name of a benchmark to its folder, for those that are not with the benchmark data.
        limit: Items of each benchmark, drawn by the seed; all by default.
        mode: Answers in words, the likeliest choice, or both.
        baseline: Which of majority and tfidf.
        answers: Recorded answers as JSON lines with id and text.
        endpoint: Address of an OpenAI-compatible server that answers too; its key is in $BRIDGE_API_KEY.
        model: As that server calls it.
    """

    title: ClassVar[str] = "Medical benchmarks in words"

    def __init__(
        self,
        bundle: str | None = None,
        llm: str | None = None,
        base: str | None = None,
        benchmarks: list[str] | None = None,
        folders: dict[str, str] | None = None,
        limit: int | None = None,
        mode: Literal["generate", "likelihood", "both"] = "generate",
        baseline: list[Literal["majority", "tfidf"]] | None = None,
        answers: str | None = None,
        endpoint: str | None = None,
        model: str | None = None,
    ):
        if bundle and llm:
            raise ValueError("medical, fields bundle and llm: found both, expected one; compare the two with --base")
        if (endpoint is None) != (model is None):
            raise ValueError("medical, fields endpoint and model: found one of them, expected both or neither")
        benchmarks = [name.lower().replace(" ", "-") for name in benchmarks or ()]  # as their authors write them
        folders = {name.lower().replace(" ", "-"): folder for name, folder in (folders or {}).items()}
        wrong = sorted({*benchmarks, *folders} - set(BENCHMARKS))
        if wrong:
            raise ValueError(f"medical, fields benchmarks and folders: found {wrong[0]!r}, expected some of {', '.join(BENCHMARKS)}")
        self.ours = bundle or llm or (None if answers or endpoint else DEFAULT)
        self.is_bundle, self.base, self.names, self.folders = bool(bundle), base, benchmarks or list(BENCHMARKS), folders
        self.limit, self.mode, self.baseline = limit, mode, FLOORS if baseline is None else tuple(baseline)
        self.answers, self.endpoint, self.model = answers, endpoint, model

    def run(self, record: Record) -> None:
        sets = list(self._sets(record))
        if not sets:
            raise Skipped(f"none of {', '.join(self.names)} is here")
        record.words("Protocol", PROTOCOL.format(longest=", ".join(f"{tokens} ({judged})" for judged, tokens in LONGEST.items()), seed=record.seed))
        private = [each.about.title for each in sets if each.about.credentialed]
        if private:
            record.words("Data", PRIVATE.format(names=", ".join(private), file=FILE))
        results = {each.name: self._floors(record, each) for each in sets}
        for answerer in self._answerers(sets):
            for each in sets:
                results[each.name] |= self._judged(answerer, each, record.out)
        for each in sets:
            put_benchmark(record, each, results[each.name])
        write_items(record.out / FILE, results)

    def _sets(self, record: Record) -> Iterator[Asked]:
        """Benchmarks whose data are here; of the others the reason."""
        for name in self.names:
            about = BENCHMARKS[name]
            try:
                folder = Path(self.folders[name]) if name in self.folders else data_folder(f"medical/{about.folder}")
            except Skipped as reason:
                record.words("Skipped", f"{about.title}: {reason}, or give its own folder with --folders.{name}")
                continue
            if not folder.is_dir():
                raise ValueError(f"medical, field folders.{name}: {folder} is no folder, expected the one that holds {about.title}")
            found = splits(name, folder)
            items = drawn(found["test"], self.limit, record.seed)
            record.words("Data", f"{about.title}: {len(items)} of {len(found['test'])} test items, {len(found['train'])} for training.")
            yield Asked(name, about, items, len(found["test"]), found["train"])

    def _floors(self, record: Record, asked: Asked) -> dict[str, list[Scored]]:
        found = {}
        if "majority" in self.baseline and asked.items[0].judged != "text":
            found["majority"] = judged_answers(asked.items, majority(asked.training, asked.items))
        if "tfidf" in self.baseline and can_learn(asked.training):
            answers, told = tfidf(asked.training, asked.items, negative=asked.about.negative)
            record.words("TF-IDF", f"{asked.about.title}: {told}.")
            found["tfidf"] = judged_answers(asked.items, answers)
        return found

    def _answerers(self, sets: Sequence[Asked]) -> Iterator[BundleAnswerer | EndpointAnswerer | RecordedAnswers]:
        """One at a time, so that a base and ours need not be in memory together."""
        if self.answers:
            yield RecordedAnswers(self.answers, [item for each in sets for item in each.items])
        if self.endpoint:
            yield EndpointAnswerer(self.endpoint, self.model)
        if self.ours:
            ours = opened(self.ours)
            yield ours
            if self.is_bundle and not self.base:
                yield base_of(ours)
        if self.base:
            yield opened(self.base, BASE)

    def _judged(self, answerer: BundleAnswerer | EndpointAnswerer | RecordedAnswers, asked: Asked, folder: Path) -> dict[str, list[Scored]]:
        print(f"{asked.about.title}: {answerer.name}, {len(asked.items)} items", flush=True)
        found, asks = {}, kept(answerer, folder)
        if self.mode != "likelihood" or asked.items[0].judged != "choice":
            found[answerer.name] = written(asks, asked.items)
        if self.mode != "generate" and asked.items[0].judged == "choice" and not isinstance(answerer, RecordedAnswers):
            ways = likeliest(asks, asked.items, letters_alone=isinstance(answerer, EndpointAnswerer))
            found |= {f"{answerer.name} ({way})": each for way, each in ways.items()}
        return found


def put_benchmark(record: Record, asked: Asked, results: dict[str, list[Scored]]) -> None:
    """Rows and a table of one benchmark, and ours against the base."""
    about, lines = asked.about, []
    for method, found in results.items():
        base = results.get(method.replace(OURS, BASE, 1)) if method.startswith(OURS) else None
        figures = {metric: interval(found, metric, negative=about.negative, seed=record.seed) for metric in (*about.metrics, "unparsed")}
        for metric, (value, low, high) in figures.items():
            p = paired_p(found, base) if base and metric == about.metrics[0] else None
            record.row(metric, method, value, n=len(found), direction=about.title, low=low, high=high, p=p)
        lines.append((method, str(len(found)), *map(in_words, figures.values())))
        if base:
            change = difference(found, base, about.metrics[0], negative=about.negative, seed=record.seed)
            record.words("Against the base", f"{about.title}, {about.metrics[0]}: {method} {verdict(change)}.")
    record.table(f"{about.title} ({len(asked.items)} of {asked.whole} test items)", ("method", "n", *about.metrics, "unparsed"), lines)


def verdict(change: Interval, ours: str = "is", other: str = "its base") -> str:
    """What a difference with its interval says."""
    if change.value is None or change.low is None or change.high is None:
        return f"cannot be told from {other}: the difference has no interval"
    told = "above" if change.low > 0 else "below" if change.high < 0 else "not shown to differ from"
    return f"{ours} {told} {other} by {change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"


def in_words(figure: Interval) -> str:
    """A figure with its interval."""
    if figure.value is None:
        return "undefined"
    return f"{figure.value:.3f}" + ("" if figure.low is None else f" ({figure.low:.3f}-{figure.high:.3f})")


def write_items(path: Path, results: dict[str, dict[str, list[Scored]]]) -> None:
    """Every answer as a line: the item, its question's hash, what was answered, what it was read as and its score."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for name, methods in results.items():
            for method, found in methods.items():
                file.writelines(json.dumps({"set": name, "method": method} | one.line(), ensure_ascii=False) + "\n" for one in found)
