"""An answer as Markdown, with the evidence behind every statement."""

from __future__ import annotations

from bridge.report.page.content import why_struck
from bridge.report.page.markdown import escape, finding, measurement
from bridge.report.questions.answer import Answer


def answer_markdown(answer: Answer) -> str:
    """The question, what the input tells, and what the model said that did not stand."""
    blocks = [f"**{escape(answer.question)}**"]
    if answer.why_not:
        blocks.append(escape(answer.why_not))
    told = [measurement(evidence) if evidence.listed else f"measured: {measurement(evidence)}" for evidence in answer.named]
    told += [*map(finding, answer.claims), *(f"not told: {escape(part)}" for part in answer.unknown)]
    told += [f"struck: ~~{escape(claim.statement)}~~ — {escape(why_struck(claim))}" for claim in answer.struck]
    blocks += ["\n".join(f"- {line}" for line in told)] if told else []
    return "\n\n".join(blocks) + "\n"
