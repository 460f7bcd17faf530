"""A report as Markdown: the sections of the page, evidence beside each claim."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bridge.language import grammar
from bridge.report.given import Measured, Patient, RankedDisorder
from bridge.report.page import content, what_if_told
from bridge.report.page.content import Findings
from bridge.report.page.plain import plain, signed
from bridge.report.schema import Claim, Evidence, Report, Source, WhatIf
from bridge.retrieve.schema import Agreement, Candidate, Retrieved

# A colon before // and the dot after www make a link of bare text in GitHub's Markdown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~@$=^]|:(?=//)|(?<=\bwww)\.)", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NOTHING = "- none"
#: Features of a map that are listed: those farthest from the training mean.
_LISTED = 10
#: Items of a list that stand beside each claim; a longer list stands once, under the findings.
_SHORT = 3


def to_markdown(report: Report) -> str:
    """The report for people who read text: what was given, findings with their measured values, what was struck, what is not known."""
    blocks = [f"# Report on {escape(report.id)}", escape(content.NOTICE), *_what_if(report.what_if), *_given(report)]
    for part in content.findings(report):
        blocks += _findings(part)
    blocks += [*_relate(report), *_says(report), *_disorders(report), *_cannot(report)]
    blocks += [f"## {content.STRUCK}", content.STRIKES, _bullets(map(_struck, report.struck))]
    blocks += [f"## {content.PROVENANCE}", _bullets(f"{escape(name)}: {escape(value)}" for name, value in content.provenance_rows(report))]
    blocks += [f"## {content.RESEARCH}", f"{content.NOTICE} {content.RANK}", f"## {content.LICENCES}", _bullets(map(escape, content.licences(report)))]
    return "\n\n".join(blocks) + "\n"


def finding(claim: Claim) -> str:
    """One claim with what it rests on, as a line of Markdown."""
    return _finding(claim, "; ".join(map(measurement, claim.evidence)))


def measurement(evidence: Evidence) -> str:
    """The measured value, for example ``left hippocampus: 0.83 (z +1.9, rank 1 of 83)``, or the list of known items."""
    if evidence.value is None:
        return f"listed for {escape(evidence.sample)}: {escape(', '.join(evidence.listed)) or 'nothing'}"
    value = " ".join(filter(None, [f"{evidence.value:.3g}", escape(evidence.units)]))
    z = "z unknown" if evidence.z is None else f"z {signed(evidence.z)}"
    place = ", ".join(filter(None, [z, f"rank {evidence.rank} of {evidence.of}" if evidence.rank else ""]))
    return f"{escape(evidence.feature)}: {value} ({place})"


def escape(text: str) -> str:
    """Text of a model or a file as plain Markdown text: no markup, link, HTML, control or direction-changing character acts."""
    marked = _SPECIAL.sub(r"\\\1", plain(text))
    marked = "".join(_ENTITIES.get(letter, letter) for letter in marked)
    return re.sub(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[-+]))", r"\1\\", marked)


def _what_if(what_if: WhatIf | None) -> list[str]:
    """First of all that these are not the inputs as they are, and what that changes; nothing where they are."""
    if what_if is None:
        return []
    rows = what_if_told.change_rows(what_if)
    blocks = [f"## {what_if_told.WHAT_IF}", what_if_told.NOT_MEASURED, _bullets(map(escape, what_if_told.assumptions(what_if)))]
    return [*blocks, what_if_told.unchanged(what_if), *([_table(what_if_told.COLUMNS, rows)] if rows else [])]


def _given(report: Report) -> list[str]:
    given = ", ".join(map(escape, report.given)) or "none"
    missing = ", ".join(map(escape, report.missing)) or "none"
    lines = [f"given: {given}", f"missing: {missing}", *map(_measured, report.measured)]
    return [f"## {content.GIVEN}", _bullets(lines), *(_patient(report, report.patient) if report.patient else [])]


def _measured(measured: Measured) -> str:
    known = sum(value is not None for value in measured.values)
    parts = [f"{known} of {measured.width} features measured" if measured.names else f"{measured.width} features without names"]
    parts += map(escape, content.about(measured))
    parts += [f"root mean square {measured.norm:.2f} after normalisation"] if measured.norm is not None else []
    parts += [f"replaced by a what-if: {escape(', '.join(measured.changed))}"] if measured.changed else []
    return f"{escape(measured.modality)}: {'; '.join(parts)}"


def _patient(report: Report, patient: Patient) -> list[str]:
    lines = [("phenotypes", patient.present), ("looked for and not found", patient.excluded), ("gene", [patient.gene]), ("variants", patient.variants)]
    imaging = [[found.term, found.name, ", ".join(found.regions) or "none", found.direction] for found in patient.imaging]
    table = [_table(("term", "imaging phenotype", "regions", "direction"), imaging)] if imaging else []
    told = [f"{name}: {escape(', '.join(filter(None, items))) or 'none'}" for name, items in lines]
    return ["### Patient", _bullets([*told, f"mapping coverage: {content.coverage(report)}", f"brain side: {content.brain_side(report, patient)}"]), *table]


def _findings(part: Findings) -> list[str]:
    blocks = [f"## {escape(part.title)}", _bullets(map(_short, part.claims)) if part.claims else part.nothing]
    if part.lists:
        rows = [[grammar.label(row.feature), row.sample, ", ".join(row.listed) or "nothing"] for row in part.lists]
        blocks.append(_table(("list", "of", "items"), rows))
    return blocks + (_farthest(part.measured) if part.measured is not None else [])


def _farthest(measured: Measured) -> list[str]:
    """A table of the features farthest from the training mean; none where training does not tell."""
    known = [row for row in zip(measured.names, measured.values, measured.z, strict=False) if row[2] is not None]
    rows = [[name, "" if value is None else f"{value:.3g}", signed(z)] for name, value, z in sorted(known, key=lambda row: -abs(row[2]))[:_LISTED]]
    title = f"Farthest from the training mean ({len(rows)} of {len(measured.names)}):"
    return [title, _table(("feature", escape(measured.units) or "value", "z"), rows)] if rows else []


def _relate(report: Report) -> list[str]:
    blocks = [f"## {content.RELATE}", _bullets(map(_agreement, report.agreement)) if report.agreement else "Not compared."]
    if report.position is None:
        return blocks
    near = sorted((point.label or point.id for point in report.position.others if point.near), key=str.casefold)
    told = f"The {len(near)} nearest in the shared space, from {escape(report.position.query)}, by name: {escape('; '.join(near))}."
    return [*blocks, told if near else "Nearest in the shared space: none."]


def _agreement(found: Agreement) -> str:
    sides = " and ".join(map(escape, found.between))
    shares = f"above {found.above_true:.0%} of {found.pairs} true pairs and {found.above_mismatched:.0%} of mismatched pairs of the validation split"
    return f"{sides}: cosine {found.cosine:.2f}, {shares}"


def _says(report: Report) -> list[str]:
    told = [content.RETRIEVED, content.CHANCES] if report.retrieved else ["Nothing was retrieved."]
    return [f"## {content.SAYS}", *told, *(_retrieved(found) for found in report.retrieved)]


def _retrieved(found: Retrieved) -> str:
    source = escape(found.source) or "source not told"
    index = "exact search" if found.exact else "approximate search"
    title = f"{escape(content.first(found))}, of {found.candidates} ({index}; {source}):"
    head = ["retrieved", "id", "cosine", *(["probability", "before"] * content.has_chances(found)), *(["own list"] * content.has_own_list(found))]
    return f"{title}\n\n{_table(head, [_candidate(found, item) for item in found.items])}"


def _candidate(found: Retrieved, item: Candidate) -> list[str]:
    chances = [content.chance(item.probability), content.chance(item.prior)] * content.has_chances(found)
    return [content.candidate_name(found, item), item.id, f"{item.score:.3f}", *chances, *([content.OWN_LIST[item.here]] * content.has_own_list(found))]


def _disorders(report: Report) -> list[str]:
    patient = report.patient
    if patient is None:
        return []
    told = f"{patient.candidates} disorders ranked {'with' if patient.gene_used else 'without'} the gene; {escape(patient.source) or 'source not told'}."
    rows = [_disorder(disorder) for disorder in patient.disorders]
    return [f"## {content.DISORDERS}", told, _table(("rank", "disorder", "id", "score", "for", "against"), rows) if rows else _NOTHING]


def _disorder(disorder: RankedDisorder) -> list[str]:
    evidence = ["; ".join(items) or "none" for items in (disorder.supports, disorder.opposes)]
    return [str(disorder.rank), disorder.name, disorder.id, f"{disorder.score:.3g}", *evidence]


def _cannot(report: Report) -> list[str]:
    unchecked = content.unchecked(report)
    listed = ["### Not checkable", content.UNCHECKED, _bullets(map(finding, unchecked))] if unchecked else []
    return [f"## {content.CANNOT}", _bullets(map(escape, report.unknown)), *listed]


def _struck(claim: Claim) -> str:
    evidence = _evidence(claim)
    return f"~~{escape(claim.statement)}~~ — {escape(content.why_struck(claim))}{': ' if evidence else ''}{evidence}"


def _short(claim: Claim) -> str:
    """A claim of a report, where a long list stands in a table of its own."""
    return _finding(claim, _evidence(claim))


def _finding(claim: Claim, evidence: str) -> str:
    notes = [content.rests_on(claim)] if claim.source is not Source.MEASURED else []
    return f"{escape(claim.statement)} — {'; '.join(filter(None, [evidence, *notes, content.remark(claim)]))}"


def _evidence(claim: Claim) -> str:
    long = [evidence.value is None and len(evidence.listed) > _SHORT for evidence in claim.evidence]
    told = (escape(content.on_list(claim, each)) if many else measurement(each) for each, many in zip(claim.evidence, long, strict=True))
    return "; ".join(told)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or _NOTHING
