"""A report with something in every field, a small atlas of its regions, and texts that try to act."""

import itertools

import numpy as np

from bridge.data.typed import Typed
from bridge.report.given import InputFile, MappedFinding, Measured, Patient, RankedDisorder
from bridge.report.schema import Claim, Direction, Evidence, Kind, Provenance, Report, Section, Source, Verdict
from bridge.retrieve.schema import Agreement, Candidate, CandidateKind, Point, Position, Retrieved
from encoders.region_map import Atlas

NAMES = ("left cuneus", "right cuneus", "left insula", "right insula", "left amygdala", "brain stem")
Z = (2.4, 1.1, -2.2, -0.3, None, 0.2)
UNITS = "a.u."


def region(name: str) -> Evidence:
    """The measured value of a region."""
    z, ranked = Z[NAMES.index(name)], sorted((z for z in Z if z is not None), reverse=True)
    return Evidence(modality="brain", feature=name, sample="s1", value=0.5 + z / 10, units=UNITS, z=z, rank=ranked.index(z) + 1, of=5)


def _extreme(name: str, direction: Direction, verdict: Verdict) -> Claim:
    fields = {"kind": Kind.EXTREME, "modality": "brain", "source": Source.MEASURED, "confidence": 0.8}
    return Claim(entity=name, statement=f"extreme in the {name}", direction=direction, evidence=(region(name),), verdict=verdict, **fields)


LIST = Evidence(modality="gene", feature="organ_systems", sample="s1", listed=("nervous system", "eye"))
FACT = Claim(entity="eye", statement="organ systems eye", kind=Kind.FACT, direction=Direction.PRESENT, modality="gene", attribute="organ_systems")
LISTED = FACT.model_copy(update={"source": Source.RETRIEVED, "evidence": (LIST,), "verdict": Verdict.SUPPORTED, "confidence": 0.9})
COMPARED = Claim(
    entity="left cuneus",
    than="left insula",
    statement="left cuneus is higher than left insula",
    kind=Kind.COMPARISON,
    direction=Direction.HIGHER,
    modality="brain",
    source=Source.MEASURED,
    evidence=(region("left cuneus"), region("left insula")),
    verdict=Verdict.SUPPORTED,
)
PROSE = Claim(entity="", mention="it", statement="an unspecific pattern", confidence=0.3, unit="cm")
BRAIN = (
    _extreme("left cuneus", Direction.HIGHER, Verdict.SUPPORTED),
    _extreme("right insula", Direction.LOWER, Verdict.NEAR),
    COMPARED,
)
STRUCK = (
    _extreme("left insula", Direction.HIGHER, Verdict.CONTRADICTED),
    Claim(entity="x", statement="x is larger than before", kind=Kind.PRIOR, verdict=Verdict.NOT_IN_INPUT),
)
PATIENT = Patient(
    present=("Seizure (HP:0001250)",),
    excluded=("Ataxia (HP:0001251)",),
    gene="GENE1",
    variants=("c.1A>T",),
    imaging=(
        MappedFinding(term="HP:0000001", name="Small cuneus", regions=("left cuneus", "right cuneus"), direction="lower"),
        MappedFinding(term="HP:0000002", name="Unmapped"),
    ),
    disorders=(RankedDisorder(id="OMIM:1", name="Disorder", rank=1, score=3.5, supports=("Seizure",), opposes=("Ataxia",)),),
    candidates=10,
    gene_used=True,
    source="annotations 2025",
)
RETRIEVED = Retrieved(
    query="gene",
    kind=CandidateKind.PHENOTYPE,
    items=(Candidate(id="HP:0001250", label="Seizure", score=0.6, probability=0.7, here=True), Candidate(id="HP:0001251", score=-0.1)),
    candidates=100,
    source="ontology 2025",
)
POSITION = Position(
    query="gene",
    x=0.1,
    y=0.2,
    others=(Point(id="s2", x=1.0, y=2.0), Point(id="s3", label="third", x=0.1, y=0.2, near=True), Point(id="s4", x=0.1, y=0.2, near=True)),
    shown=0.4,
)
PROVENANCE = Provenance(
    bundle="bundle",
    bundle_sha256="ab" * 32,
    llm="tiny",
    cards={"brain": {"encoder": "RegionTable", "source": "table", "version": "1", "licence": "CC BY 4.0", "names": []}},
    inputs=(InputFile(modality="brain", name="s1.nii.gz", sha256="cd" * 32),),
    seed=3,
    versions={"torch": "2"},
    notices=("a notice",),
    licences=("a licence",),
)
REPORT = Report(
    id="s1",
    given=("brain", "gene", "note"),
    missing=("expression",),
    sections=(
        Section(title="Brain findings", modality="brain", claims=BRAIN),
        Section(title="Gene findings", modality="gene", claims=(LISTED, FACT)),
        Section(title="Other statements", modality="", claims=(PROSE,)),
    ),
    text="raw text of the model",
    struck=STRUCK,
    unknown=("Inheritance: insufficient evidence.",),
    measured=(
        Measured(
            modality="brain",
            names=NAMES,
            values=tuple(None if z is None else 0.5 + z / 10 for z in Z),
            z=Z,
            units=UNITS,
            atlas="blocks",
            width=6,
            norm=1.1,
            changed=("brain stem",),
        ),
        Measured(modality="gene", width=384),
    ),
    agreement=(Agreement(between=("gene", "brain"), cosine=0.3, above_true=0.4, above_mismatched=0.9, pairs=50),),
    retrieved=(RETRIEVED,),
    position=POSITION,
    patient=PATIENT,
    provenance=PROVENANCE,
)


def block_atlas() -> Atlas:
    """The regions of the report, and one more, as blocks of 2 mm voxels."""
    labels = np.zeros((24, 26, 20), dtype=np.int32)
    boxes = [((2, 8), (2, 8)), ((16, 22), (2, 8)), ((2, 8), (10, 16)), ((16, 22), (10, 16)), ((2, 8), (18, 24)), ((10, 14), (8, 18)), ((16, 22), (18, 24))]
    for label, (across, along) in enumerate(boxes, start=1):
        labels[slice(*across), slice(*along), 3:17] = label
    affine = np.array([[2.0, 0, 0, -23], [0, 2, 0, -25], [0, 0, 2, -19], [0, 0, 0, 1]])
    return Atlas(labels, affine, 4, (*NAMES, "right amygdala"), tuple(range(1, 8)), "blocks.nii.gz")


def with_text(value, change):
    """The same value with every text in it changed, at every depth; what a program reads (enumerations) stays."""
    if isinstance(value, Typed):
        return type(value).model_validate({name: with_text(getattr(value, name), change) for name in type(value).model_fields})
    if isinstance(value, tuple | list):
        return type(value)(with_text(each, change) for each in value)
    if isinstance(value, dict):
        return {change(key) if type(key) is str and key not in CARD_FIELDS else key: with_text(each, change) for key, each in value.items()}
    return change(value) if type(value) is str else value


#: Keys of a card, which are ours.
CARD_FIELDS = {"encoder", "source", "version", "licence", "names"}

BREAKS = ("", '"', "'>", "-->", "]]>", "</title>", "</style>", "</script>", "</svg>")
ACTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><use href='data:image/svg+xml,x#a'/></svg>",
    " onmouseover=alert(1) x=",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>*{background:url(https://example.org/x)}</style>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
)
OTHERS = (
    "{{ 7 * 7 }}",
    "{% raw %}{% include '/etc/passwd' %}",
    "{{ self.__init__.__globals__ }}",
    "{# #}${7*7}#{7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "[x](javascript:alert(1)) ![y](https://example.org/y.png)",
    "<https://example.org> https://example.org www.example.org a@example.org",
    "**b** __b__ *i* `c` ~~s~~ # h\n\n---\n\n1. x\n- y\n> q\n\n| a | b |\n|---|---|\n| c | d |",
    "[x]: https://example.org\n[^1]: note",
    "a\u202eb\u2066c\u200bd\u2069e\ufeff",
    "x\x00y\x08z\ud800w\u2028v",
    "W" * 400,
    "\\\\\\<b>\\",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; &amp;",
    "<!--<script>",
    "<![CDATA[<b>]]>",
    "<?php echo 1 ?>",
    "expression(alert(1))",
    "\n\n<div onclick=alert(1)>\n\n",
)
PAYLOADS = (*(first + act for first, act in itertools.product(BREAKS, ACTS)), *OTHERS)
