"""The words in which clinical prose tells levels, quantities, and comparisons with an earlier examination."""

from __future__ import annotations

import re
from typing import NamedTuple

from bridge.report.schema import Direction

_NORM_LEAD = r"(?:the|a|an|in|what|its|is|was|be|would|one|for|of|by|healthy|matched|age-matched|sex-matched|training|reference|normative|control|all)"
_NORM = (
    rf"(?:{_NORM_LEAD}\s+){{0,5}}(?:normal|expected|average|usual|typical|controls?|references?|means?|norms?|peers|cohorts?|samples?|populations?|"
    r"limits?|intervals?|median|groups?|others|range)\b(?:\s+(?:range|limits?|mean|samples?|group|cohort|population|values?))?"
)
_AGAINST = rf"(?:\s+(?:than|to|with|against|from)\s+{_NORM})?"
_RISEN = (
    r"(?:much |slightly |mildly |clearly )?(?:higher|larger|greater|bigger|thicker)|high|large|increas(?:e|es|ed|ing)|elevat(?:ed|ion|ions)|raised|"
    r"enlarge(?:d|ment)|thickened|thickening|up-?regulat(?:ed|ion)|over-?express(?:ed|ion)|hypertroph(?:y|ic|ied)|expanded|expansion|hyperplas(?:ia|tic)|excess(?:ive)?|"
    r"augmented|heightened|hyperexpression|gains?|(?:is|are|was|were)\s+up"
)
_FALLEN = (
    r"(?:much |slightly |mildly |clearly )?(?:lower|smaller|lesser|thinner)|low|small|thin|decreas(?:e|es|ed|ing)|reduc(?:ed|tion|tions)|diminish(?:ed|ment)|"
    r"thinned|thinning|atroph(?:y|ic|ied)|down-?regulat(?:ed|ion)|under-?express(?:ed|ion)|hypoplas(?:ia|tic)|hypotroph(?:y|ic)|shr[ua]nken|shrinkage|shrunk|"
    r"suppress(?:ed|ion)|depressed|deficits?|deficien(?:t|cy)|loss(?:es)?|lost|wasting|wasted|declin(?:e|ed)|depleted|(?:is|are|was|were)\s+down"
)
_USUAL = (
    r"within\s+(?:the\s+)?(?:normal|reference|expected|usual|training|typical|average|limits|range)(?:\s+\w+)?\s*(?:range|limits?|interval)?|in\s+the\s+normal\s+range|"
    r"(?<!than )as expected|in line with\s+(?:the\s+)?\w+|normal|unremarkable|average|typical|preserved|intact|unaffected|spar(?:ed|ing)|uninvolved|in range"
)
_UNUSUAL = r"abnormal(?:ly|ity|ities)?|atypical|deviat(?:es?|ed|ing|ion|ions)|outside\s+(?:the\s+)?(?:normal|reference|expected|training)\s+\w+|out of range"
CUE = re.compile(
    rf"\b(?:(?P<up>(?:{_RISEN}|exceeds?){_AGAINST}|above\s+{_NORM})|(?P<down>(?:{_FALLEN}){_AGAINST}|below\s+{_NORM})|(?P<unusual>{_UNUSUAL})|(?P<usual>{_USUAL}))"
    r"(?![\w-])",
    re.IGNORECASE,
)
DIRECTIONS = {"up": Direction.INCREASED, "down": Direction.DECREASED, "usual": Direction.WITHIN, "unusual": Direction.WITHIN}
_NUMBER = r"[+\-−–]?\s?\d+(?:\.\d+)?"
_Z = rf"\bz(?:[\s-]*(?:scores?|values?))?\s*(?:=|:|of|is|was|at)?\s*(?P<z>{_NUMBER})(?![\d.]*\d)(?!\s*(?:%|percent|mm|cm|ml))"
_WAYS = r"above|over|higher|greater|larger|more|below|under|lower|smaller|less"
_SD = (
    r"(?P<sd>[+\-−–]?\d+(?:\.\d+)?)\s*(?:SDs?|standard[\s-]deviations?|sigmas?|σ)\b"
    rf"(?:\s+(?:units\s+)?(?P<way>{_WAYS})\b(?:\s+(?:than\s+)?{_NORM})?)?"
)
_OTHER = r"(?P<other>[+\-−–]?\d+(?:[.,]\d+)?)\s*(?P<unit>%|percent|mm[23³²]?|cm|ml|mg|μm|hz|-?fold|times)|\bp\s*[=<]\s*(?P<p>0?\.\d+)"
QUANTITY = re.compile(rf"{_Z}|{_SD}|{_OTHER}", re.IGNORECASE)
BOUND = re.compile(r"(?:more than|over|at least|less than|under|up to|exceed\w*(?: by)?|>|<|≥|≤|beyond)\s*\Z", re.IGNORECASE)
_BELOW = ("below", "under", "lower", "smaller", "less")
#: "but not the insula" denies for one mention what is said of the others; names are blanked with "_" where this is looked for.
ENTITY_NOT = re.compile(r"\b(?:but\s+)?not\s+(?:in\s+|of\s+)?(?:the\s+)?\Z", re.IGNORECASE)
ENTITY_NOT_ANYWHERE = re.compile(r"\b(?:but\s+)?not\s+(?:in\s+|of\s+)?(?:the\s+)?(?=_)", re.IGNORECASE)
LISTED = re.compile(r"\s*(?:,|or|nor|and)\s+(?:any\s+)?", re.IGNORECASE)
BREAK = re.compile(r"\b(?<!all )but\b(?!\s+not\b)|\bhowever\b|\balthough\b|\bwhereas\b|\bwhile\b|\byet\b|\bin contrast(?:\s+to)?\b", re.IGNORECASE)
VERB = re.compile(r"\b(?:is|are|was|were|has|have|shows?|showed|appears?|looks?|seems?|being|remains?)\b", re.IGNORECASE)
_TIMES = (
    r"scans?|stud(?:y|ies)|exam\w*|mris?|cts?|imaging|images?|reports?|visits?|measurements?|assessments?|sessions?|"
    r"time[ -]?points?|investigations?|acquisitions?|"
    r"comparisons?|tests?|values?|baseline|follow-?up"
)
#: A comparison with an earlier examination of the same person.
PRIOR = re.compile(
    rf"\b(?:prior|previous|earlier|preceding|last|former|past)\s+(?:\w+\s+){{0,2}}?(?:{_TIMES})\b|\bsince\s+(?:the\s+)?(?:last|previous|prior|baseline|then|\d{{4}})\b|"
    r"\b(?:than|as)\s+(?:before|previously|at baseline)\b|\b(?:from|at|with|to)\s+baseline\b|"
    r"\bpreviously\s+(?:seen|noted|described|reported|measured|observed)\b|"
    r"\binterval\s+(?:change|increase|decrease|growth|progression|enlargement|development|improvement|worsening|loss|thinning|atrophy|reduction)\b|"
    r"\b(?:has|have|had)\s+(?:\w+ly\s+)?(?:progressed|worsened|improved|regressed|resolved|deteriorated)\b|"
    r"\b(?:unchanged|stable|progressive)\s+(?:since|over|compared|from)\b|"
    r"\bremains?\s+(?:unchanged|stable)\b|\bover\s+time\b|\b(?:years?|months?|weeks?|days?)\s+(?:ago|earlier|before)\b|\bon\s+follow-?up\b|\blongitudinal",
    re.IGNORECASE,
)
TO_PRIOR = re.compile(r"\s*(?:when\s+|as\s+)?(?:compared|relative|versus|in\s+comparison|than|since|with\s+respect)\b", re.IGNORECASE)


class Quantity(NamedTuple):
    """A number that a clause states, in standard deviations (``z``) or in a unit as written."""

    value: float
    unit: str


def quantity_of(found: re.Match) -> tuple[Quantity, Direction]:
    """A match of ``QUANTITY`` as a number, and the direction that it says itself."""
    if found["z"] is not None:
        return Quantity(_number(found["z"]), "z"), Direction.NONE
    if found["sd"] is not None:
        value, way = _number(found["sd"]), (found["way"] or "").casefold()
        below = way in _BELOW
        direction = Direction.NONE if not way else Direction.DECREASED if below else Direction.INCREASED
        return Quantity(-abs(value) if below else value, "z" if way or value < 0 else "SD"), direction
    if found["p"] is not None:
        return Quantity(float(found["p"]), "p"), Direction.NONE
    return Quantity(_number(found["other"].replace(",", ".")), found["unit"].casefold()), Direction.NONE


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("–", "-").replace(" ", ""))
