"""``bridge evaluate reports``: does a report depend on its input, what is each input worth, and what is stage 1 worth?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from bridge.benchmark.default import SHARED, default_bundle, projectors_of, tuned
from bridge.benchmark.plain_text import ENDS, plain_texts, tuned_on_text
from bridge.benchmark.report_gain import put_differences, put_gains, put_likelihoods
from bridge.benchmark.report_retrieval import put_retrieval
from bridge.benchmark.report_scores import Facts, constant_answer
from bridge.benchmark.report_sets import ReportSets
from bridge.benchmark.report_trust import put_calibration, put_claims, put_outliers
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task
from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.controls import constant_texts, given_values, mean_prefix
from bridge.evaluate.held_out import prefix_nll, sampled
from bridge.evaluate.likelihood import answer_nll, report_examples, true_reports
from bridge.language.questions import REPORT_ASK
from bridge.model import SemanticBridge
from bridge.report.generation.confidence import Generation
from bridge.report.generation.generate import generated

NO_STAGE_1, BLIND, PLAIN = f"{OURS} (no stage 1)", f"{OURS} (blind)", "plain text"

PROTOCOL = (
    "{n} held-out samples of the split test, drawn with seed {seed}; greedy decoding of at most {tokens} tokens; raw text, before any check. "
    "{budget} No stage 1: new projectors. Blind: in training and in use the prefix tells which inputs there are and nothing else. Plain text: no "
    "prefix; the inputs stand in the prompt as words (of a map the {ends} highest and {ends} lowest regions with standardised values, of a gene "
    "vector the name it was made from), where a prefix of identity + value tokens holds fewer regions and one token that reads the whole map. "
    "Shuffled: the same texts against the other samples' truth, which is what a prefix of another sample would write. Zeroed, mean and noise: "
    "what the bridge writes from a prefix of zeros, from the mean soft tokens of the training split, and from four draws of noise as long as the "
    "real soft tokens. Constant answer: what is named most often in training. A report that names nothing is left out of precision and counted as "
    "silent. Intervals: 95 % bootstrap over groups; p: permutation of truths."
)


class Reports(Task):
    """Facts of held-out reports against every control, the blind twin, plain text, and a bridge without stage 1.

    Args:
        bundle: A bundle of both stages, such as a demo's; by default one is trained on the default data, and kept.
        cohort: The cohort it was trained on; given with ``bundle``.
        genes: Size of the default data.
        steps: Steps of stage 2 of every variant, and of the bundle where none is given.
        limit: Held-out samples whose reports are generated.
        likelihoods: Of these, how many also have the likelihood of their true report measured.
        max_new_tokens: Longest report.
        resamples: Bootstrap resamples of the intervals of calibration and outlier detection, which take the longest.
    """

    title: ClassVar[str] = "Report facts on held-out samples"

    def __init__(
        self,
        bundle: str | None = None,
        cohort: str | None = None,
        genes: int = 1000,
        steps: int = 40,
        limit: int = 32,
        likelihoods: int = 16,
        max_new_tokens: int = 120,
        resamples: int = 500,
    ):
        if (bundle is None) != (cohort is None):
            raise ValueError("reports, fields bundle and cohort: found one of them, expected both or neither; give the cohort that the bundle was trained on")
        self.given = None if bundle is None else (Path(bundle), Path(cohort))
        self.genes, self.steps, self.limit, self.likelihoods = genes, steps, limit, likelihoods
        self.max_new_tokens, self.resamples = max_new_tokens, resamples

    def run(self, record: Record) -> None:
        bundle, place = self.given or default_bundle(record.out.parent / SHARED, seed=record.seed, genes=self.genes, steps=self.steps)
        cohort = Cohort.read(place)
        sets = ReportSets(record, cohort, sampled(cohort.rows("test"), self.limit, record.seed))
        record.words("Protocol", self._protocol(sets))
        bridge = load(bundle)
        facts = {OURS: self._inputs(sets, bridge)}
        self._constants(sets, bridge)
        put_retrieval(record, bridge, cohort, OURS)
        put_outliers(record, bridge, cohort, resamples=self.resamples)
        facts |= self._variants(sets, bridge, self._budget(sets, bundle, place))
        sets.close()
        put_gains(record, facts, BLIND, sets.groups)
        put_differences(record, facts, OURS, sets.groups)

    def _inputs(self, sets: ReportSets, bridge: SemanticBridge) -> list[Facts]:
        """What each input is worth: reports from one of them, and from all; calibration of the claims of the latter."""
        for modality in bridge.projectors if len(bridge.projectors) > 1 else ():
            sets.judge(modality, OURS, self._texts(sets, bridge, (modality,)), given=(modality,))
        rows = {"validation": sampled(sets.cohort.rows("validation"), self.limit, sets.record.seed), "test": sets.rows}
        written = {split: self._generated(sets, bridge, some, tuple(bridge.projectors)) for split, some in rows.items()}
        put_calibration(sets.record, bridge, sets.cohort, rows, written, resamples=self.resamples)
        put_claims(sets.record, bridge, sets.cohort, sets.rows, written["test"])
        return sets.judge("both", OURS, [each.text for each in written["test"]], controls=True)

    def _constants(self, sets: ReportSets, bridge: SemanticBridge) -> None:
        """Reports that know nothing of the sample."""
        given = tuple(bridge.projectors)
        values, mean = given_values(bridge, sets.cohort, sets.rows[:1], given), mean_prefix(bridge, sets.cohort, given)
        few = constant_texts(bridge, values, REPORT_ASK[0], mean, seed=sets.record.seed, max_new_tokens=self.max_new_tokens)
        for method, texts in (few | {"constant answer": [constant_answer(sets.cohort)]}).items():
            sets.judge("both", method, (texts * len(sets.rows))[: len(sets.rows)], tested=False)

    def _variants(self, sets: ReportSets, bridge: SemanticBridge, budget: dict) -> dict[str, list[Facts]]:
        """The same budget without stage 1, without a prefix, and with words in its place."""
        folder, given = sets.record.folder("bundles"), tuple(bridge.projectors)
        fresh = load(tuned(folder / f"no-stage-1_{self.steps}", **budget))
        put_retrieval(sets.record, fresh, sets.cohort, NO_STAGE_1)
        facts = {NO_STAGE_1: sets.judge("both", NO_STAGE_1, self._texts(sets, fresh, given))}
        blind = load(tuned(folder / f"blind_{self.steps}", blind=True, **budget))
        facts[BLIND] = sets.judge("both", BLIND, self._texts(sets, blind, given))
        self._likelihood(sets, bridge, blind)
        words = load(tuned_on_text(folder / f"plain-text_{self.steps}", **budget))
        facts[PLAIN] = sets.judge("both", PLAIN, plain_texts(words, sets.cohort, sets.rows, max_new_tokens=self.max_new_tokens))
        return facts

    def _likelihood(self, sets: ReportSets, bridge: SemanticBridge, blind: SemanticBridge) -> None:
        """Of the true reports, with the true prefix, with each control, and under the twin."""
        rows = sampled(sets.rows, self.likelihoods, sets.record.seed)
        truth, controls = prefix_nll(bridge, sets.cohort, rows, seed=sets.record.seed)
        values = given_values(blind, sets.cohort, rows, tuple(blind.projectors))
        controls["blind twin"] = answer_nll(blind, values, report_examples(blind, true_reports(sets.cohort, rows)))
        put_likelihoods(sets.record, truth, controls, tuple(bridge.projectors), sets.cohort.groups[rows])

    def _budget(self, sets: ReportSets, bundle: Path, cohort: Path) -> dict:
        """What every variant shares with the bundle: LLM, projectors, data, seed; and the steps."""
        llm = json.loads((bundle / "config.json").read_text(encoding="utf-8"))["llm"]
        return {"cohort": cohort, "seed": sets.record.seed, "steps": self.steps, "projectors": projectors_of(bundle), "llm": llm}

    def _texts(self, sets: ReportSets, bridge: SemanticBridge, given: tuple[str, ...]) -> list[str]:
        return [each.text for each in self._generated(sets, bridge, sets.rows, given)]

    def _generated(self, sets: ReportSets, bridge: SemanticBridge, rows: np.ndarray, given: tuple[str, ...]) -> list[Generation]:
        values = given_values(bridge, sets.cohort, rows, given)
        return generated(bridge, values, [REPORT_ASK[0]] * len(rows), max_new_tokens=self.max_new_tokens, show_progress=True)

    def _protocol(self, sets: ReportSets) -> str:
        every = f"Stage 2 of every method: {self.steps} steps of configs/tune.yaml."
        budget = every if self.given is None else f"The bundle was given and has its own budget; stage 2 of every other method: {self.steps} steps."
        return PROTOCOL.format(n=len(sets.rows), seed=sets.record.seed, tokens=self.max_new_tokens, ends=ENDS, budget=budget)
