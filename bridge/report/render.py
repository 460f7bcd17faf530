"""A report as Markdown for people and as JSON for programs. Markdown shows only what was checked or is marked as unchecked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from bridge.report.schema import Claim, Evidence, Kind, Report, Source, Verdict

NOTICE = "Research use only. Not a medical device; not for diagnosis, treatment or any decision about a person."
# A colon before // and the dot after www make a link of bare text in GitHub's Markdown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~@$=^]|:(?=//)|(?<=\bwww)\.)", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NOTHING = "- none"
_NEAR = ("near: in the highest or lowest third, not among the three", "near: between 1 and 2 standard deviations from the training mean")


def to_json(report: Report) -> str:
    """The whole report, raw generation and struck claims included; read back by ``Report.model_validate_json``."""
    return report.model_dump_json(indent=2)


def to_markdown(report: Report) -> str:
    """The report for people: inputs, findings with their measured values, what was struck, what is not known, provenance."""
    blocks = [f"# Report on {escape(report.id)}", *_inputs(report)]
    for section in report.sections:
        blocks += [f"## {escape(section.title)}", _bullets(finding(claim) for claim in section.claims)]
    blocks += ["## Struck", "Statements of the model that the input contradicts or does not hold.", _bullets(map(_struck, report.struck))]
    blocks += ["## Not known", _bullets(map(escape, report.unknown))]
    return "\n\n".join([*blocks, *_provenance(report), *_notices(report)]) + "\n"


def finding(claim: Claim) -> str:
    """One claim with what it rests on, as a line of Markdown."""
    notes = [_source(claim)] if claim.source is not Source.MEASURED else []
    notes += [_NEAR[claim.kind is Kind.LEVEL]] if claim.verdict is Verdict.NEAR else []
    evidence = "; ".join(map(measurement, claim.evidence))
    return f"{escape(claim.statement)} — {'; '.join(filter(None, [evidence, *notes]))}"


def measurement(evidence: Evidence) -> str:
    """The measured value, for example ``left hippocampus: 0.83 (z +1.9, rank 1 of 83)``, or the list of known items."""
    if evidence.value is None:
        return f"listed for {escape(evidence.sample)}: {escape(', '.join(evidence.listed)) or 'nothing'}"
    value = " ".join(filter(None, [f"{evidence.value:.3g}", escape(evidence.units)]))
    z = "z unknown" if evidence.z is None else f"z {evidence.z:+.1f}"
    return f"{escape(evidence.feature)}: {value} ({z}, rank {evidence.rank} of {evidence.of})"


def escape(text: str) -> str:
    """Text of a model or a file as plain Markdown text: no markup, link, HTML, control or direction-changing character acts."""
    visible = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
    visible = "".join(letter for letter in visible if unicodedata.category(letter) not in ("Cf", "Cs", "Co"))
    marked = _SPECIAL.sub(r"\\\1", " ".join(visible.split()))
    marked = "".join(_ENTITIES.get(letter, letter) for letter in marked)
    return re.sub(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[-+]))", r"\1\\", marked)


def _inputs(report: Report) -> list[str]:
    given = ", ".join(map(escape, report.given)) or "none"
    missing = ", ".join(map(escape, report.missing)) or "none"
    return ["## Inputs", f"- given: {given}\n- missing: {missing}"]


def _source(claim: Claim) -> str:
    if claim.source is Source.RETRIEVED:
        return claim.source.value
    confidence = "unknown" if claim.confidence is None else f"{claim.confidence:.2f}"
    return f"{claim.source.value}, confidence {confidence}, {claim.verdict.value}"


def _struck(claim: Claim) -> str:
    evidence = "; ".join(map(measurement, claim.evidence))
    why = "comparison with an earlier examination, not in input" if claim.kind is Kind.PRIOR else claim.verdict.value
    return f"~~{escape(claim.statement)}~~ — {escape(why)}{': ' if evidence else ''}{evidence}"


def _provenance(report: Report) -> list[str]:
    origin = report.provenance
    lines = [f"bundle: {escape(origin.bundle)}", f"LLM: {escape(origin.llm)}", f"seed: {'none' if origin.seed is None else origin.seed}"]
    for modality, card in origin.cards.items():
        told = ", ".join(escape(f"{field} {card[field]}") for field in ("encoder", "source", "version", "licence") if card.get(field))
        lines.append(f"{escape(modality)}: {told}")
    lines += [f"{escape(name)} {escape(version)}" for name, version in origin.versions.items()]
    return ["## Provenance", _bullets(lines)]


def _notices(report: Report) -> list[str]:
    licences = (f"{modality}: {card['licence']}" for modality, card in report.provenance.cards.items() if card.get("licence"))
    rank = "z is against the training split; rank 1 is the highest value."
    return ["---", f"{NOTICE} {rank}", _bullets(map(escape, [*report.provenance.notices, *licences]))]


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or _NOTHING
