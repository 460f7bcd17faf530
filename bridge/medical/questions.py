"""Benchmarks of one answer among a few: PubMedQA, MedQA, MedMCQA, BioNLI and MedNLI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.instructions.item import Instruction
from bridge.medical.asking import asked, lettered, shortened
from bridge.medical.files import field, json_of, one_of, rows_of, split_files

WORDS = 300  # of a text in front of a question
DECISIONS = ("yes", "no", "maybe")
LETTERS = "ABCDE"
ENTAILMENT = {
    name: label
    for label, names in {
        "entailment": ("entailment", "pos", "positive", "1", "consistent"),
        "contradiction": ("contradiction", "neg", "negative", "0", "inconsistent"),
        "neutral": ("neutral",),
    }.items()
    for name in names
}


def pubmedqa(folder: Path) -> Iterator[Instruction]:
    """The 1,000 expert-labelled questions; the official 500 test ids are those of ``test_ground_truth.json``, the rest is for training.

    Source: Jin et al., EMNLP 2019 (arXiv:1909.06146).
    """
    files = dict(split_files(folder, {"train": ("ori_pqal",), "test": ("test_ground_truth",)}))
    if "train" not in files:
        raise ValueError(f"{folder}: no ori_pqal.json, expected it beside test_ground_truth.json")
    held, questions = json_of(files["test"]), json_of(files["train"])
    if set(held) - set(questions):
        raise ValueError(f"{folder}: test_ground_truth.json has {sorted(set(held) - set(questions))[0]}, which ori_pqal.json lacks; take both of one release")
    for number, row in questions.items():
        place = f"{files['train']}, question {number}"
        context = shortened(" ".join(row.get("CONTEXTS") or [field(row, place, "CONTEXTS")]), WORDS)
        answer = field(row, place, "final_decision")
        question = asked(f"{context}\n{field(row, place, 'QUESTION')}", "choice", DECISIONS)
        yield Instruction(
            id=f"pubmedqa-{number}",
            family="question answering",
            source="pubmedqa",
            question=question,
            answer=answer,
            judged="choice",
            choices=DECISIONS,
            group=number,
            split="test" if number in held else "train",
            licence="MIT",
        )


def medqa(folder: Path) -> Iterator[Instruction]:
    """Questions of the United States medical licensing examination with five options, the form that Me-LLaMA reports.

    Source: Jin et al., Applied Sciences 2021 (arXiv:2009.13081).
    """
    stems = {"train": ("us_5opt_train", "train"), "validation": ("us_5opt_dev", "dev"), "test": ("us_5opt_test", "test")}
    for split, path in split_files(folder, stems):
        for number, (place, row) in enumerate(rows_of(path)):
            options = row.get("options")
            if not isinstance(options, dict) or sorted(options) != list(LETTERS):
                raise ValueError(f"{place}, field options: found {options!r:.80}, expected five, A to E; the four-option form is another benchmark")
            texts = [options[letter] for letter in LETTERS]
            right = field(row, place, "answer_idx")
            yield _lettered(f"medqa-{split}-{number:05d}", "medqa", field(row, place, "question"), texts, _place(right, LETTERS, place), split, "MIT")


def medmcqa(folder: Path) -> Iterator[Instruction]:
    """Questions of Indian medical entrance examinations; the development part is scored, since the test part has no public answers.

    Source: Pal et al., CHIL 2022 (arXiv:2203.14371).
    """
    for split, path in split_files(folder, {"train": ("train",), "test": ("dev",)}):
        for place, row in rows_of(path):
            texts = [field(row, place, name) for name in ("opa", "opb", "opc", "opd")]
            right = _place(field(row, place, "cop"), "1234", place)
            yield _lettered(f"medmcqa-{field(row, place, 'id')}", "medmcqa", field(row, place, "question"), texts, right, split, "MIT")


def mednli(folder: Path) -> Iterator[Instruction]:
    """Premises from clinical notes with a hypothesis each (credentialed); those of one premise stay together.

    Source: Romanov and Shivade, EMNLP 2018 (arXiv:1808.06752).
    """
    stems = {"train": ("mli_train_v1", "train"), "validation": ("mli_dev_v1", "dev"), "test": ("mli_test_v1", "test")}
    yield from _inference(folder, "mednli", stems, ("entailment", "contradiction", "neutral"), "PhysioNet credentialed")


def bionli(folder: Path) -> Iterator[Instruction]:
    """Supporting sentences of an abstract with its conclusion, the true one or one that was turned around.

    Source: Bastan et al., Findings of EMNLP 2022 (arXiv:2210.14814).
    """
    stems = {"train": ("train", "train_balanced"), "validation": ("dev", "dev_balanced"), "test": ("test",)}
    yield from _inference(folder, "bionli", stems, ("entailment", "contradiction"), "")


def _inference(folder: Path, source: str, stems: dict[str, tuple[str, ...]], choices: tuple[str, ...], licence: str) -> Iterator[Instruction]:
    for split, path in split_files(folder, stems):
        premises: dict[str, int] = {}
        for number, (place, row) in enumerate(rows_of(path)):
            premise = field(row, place, "sentence1", "premise", "supp_set")
            hypothesis = field(row, place, "sentence2", "hypothesis", "conclusion")
            label = one_of(field(row, place, "gold_label", "label").casefold(), ENTAILMENT, place, "label")
            text = f"Premise: {shortened(premise, WORDS)}\nHypothesis: {hypothesis}\nHow does the premise bear on the hypothesis?"
            yield Instruction(
                id=f"{source}-{split}-{number:06d}",
                family="inference",
                source=source,
                question=asked(text, "choice", choices),
                answer=label,
                judged="choice",
                choices=choices,
                group=f"{source}-{split}-premise-{premises.setdefault(premise, len(premises))}",
                split=split,
                licence=licence,
            )


def _lettered(name: str, source: str, text: str, options: list[str], right: int, split: str, licence: str) -> Instruction:
    question, letters = lettered(text, options)
    place = {"judged": "choice", "choices": letters, "group": name, "split": split, "licence": licence}
    return Instruction(id=name, family="question answering", source=source, question=question, answer=letters[right], **place)


def _place(value: str, known: str, place: str) -> int:
    if value not in known:
        raise ValueError(f"{place}, field of the answer: found {value!r}, expected one of {', '.join(known)}")
    return known.index(value)
