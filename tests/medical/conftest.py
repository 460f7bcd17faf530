"""Each benchmark in small, written by hand in the form its publisher gives it; nobody in it exists."""

import csv
import gzip
import json

import pytest

from bridge.medical.benchmarks import BENCHMARKS


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def pubmedqa(folder):
    rows = {
        str(number): {"QUESTION": f"Does compound {number} help?", "CONTEXTS": [f"Compound {number} was given.", "It was watched."], "LABELS": ["A", "B"]}
        | {"final_decision": decision, "LONG_ANSWER": "It may."}
        for number, decision in enumerate(["yes", "no", "yes", "maybe", "yes", "no", "yes", "no"], start=100)
    }
    (folder / "ori_pqal.json").write_text(json.dumps(rows))
    (folder / "test_ground_truth.json").write_text(json.dumps({number: row["final_decision"] for number, row in list(rows.items())[:4]}))


def medqa(folder):
    options = {"A": "Rest", "B": "Surgery of the left knee", "C": "Aspirin", "D": "A and B", "E": "None of these"}
    rows = [
        {"question": f"A woman of {age} has pain. What next?", "answer": options[key], "options": options, "answer_idx": key}
        for age, key in zip(range(40, 43), "BDA", strict=True)
    ]
    lines(folder / "us_5opt_test.jsonl", [row | {"meta_info": "step1"} for row in rows])


def medmcqa(folder):
    names = dict(zip(("opa", "opb", "opc", "opd"), ("Iron", "Zinc", "(B) type", "C"), strict=True))
    rows = [{"question": f"Which metal, case {cop}?", "exp": None, "cop": cop, "id": f"id-{cop}", "choice_type": "single", **names} for cop in (1, 3, 4)]
    lines(folder / "dev.json", rows)


def emrqa(folder):
    notes = ["Mrs. Nobody was admitted.\n", "She takes metoprolol 25 mg daily.\n", "Her cough has gone.\n"]
    asked = [["What dose of metoprolol does she take?", "form"], ["How much metoprolol?", "form"]]
    answer = {"answer_entity_type": "single", "answer_start": [2, 3], "evidence": notes[1], "evidence_start": 2, "text": "25 mg"}
    paragraph = {"context": notes, "note_id": "1", "qas": [{"id": asked, "answers": [answer, answer | {"text": "25 mg daily"}]}, {"id": asked, "answers": []}]}
    squad = {"context": "".join(notes), "qas": [{"id": "7", "question": "What has gone?", "answers": [{"text": "cough", "answer_start": 62}]}]}
    (folder / "data.json").write_text(json.dumps({"data": [{"title": "medication", "paragraphs": [paragraph]}, {"title": "squad", "paragraphs": [squad]}]}))


def i2b2(folder):
    for part in ("concept_assertion_relation_training_data", "reference_standard_for_test_data"):
        for kind in ("txt", "concept", "rel", "ast"):
            (folder / part / kind).mkdir(parents=True)
        name = f"record-{part[:3]}"
        (folder / part / "txt" / f"{name}.txt").write_text("HOSPITAL COURSE :\nThe chest x-ray showed no Pneumonia .\nMorphine eased her pain , fever went .\n")
        (folder / part / "concept" / f"{name}.con").write_text(
            'c="the chest x-ray" 2:0 2:2||t="test"\nc="pneumonia" 2:5 2:5||t="problem"\n'
            'c="morphine" 3:0 3:0||t="treatment"\nc="her pain" 3:2 3:3||t="problem"\nc="fever" 3:5 3:5||t="problem"\n'
        )
        (folder / part / "rel" / f"{name}.rel").write_text(
            'c="the chest x-ray" 2:0 2:2||r="TeCP"||c="pneumonia" 2:5 2:5\nc="morphine" 3:0 3:0||r="TrIP"||c="her pain" 3:2 3:3\n'
        )
        (folder / part / "ast" / f"{name}.ast").write_text(
            'c="pneumonia" 2:5 2:5||t="problem"||a="absent"\nc="her pain" 3:2 3:3||t="problem"||a="associated_with_someone_else"\n'
        )


def ddi(folder):
    def rows(names, labels):
        return [
            {"index": f"{name}.s0.p{number}", "sentence": f"@DRUG$ with @DRUG$ of {name}, {label}.", "gold": label}
            for name in names
            for number, label in enumerate(labels)
        ]

    labels = ["DDI-false", "DDI-effect", "DDI-false", "DDI-mechanism"]
    with gzip.open(folder / "train_rebuilt.json.gz", "wt") as file:
        json.dump(rows([f"DDI-MedLine.d{number}" for number in range(12)], labels), file)
    (folder / "dev.json").write_text(json.dumps(rows(["DDI-MedLine.d0"], labels)))
    (folder / "test.json").write_text(json.dumps(rows(["DDI-DrugBank.d98", "DDI-DrugBank.d99"], [*labels, "DDI-advise", "DDI-int"])))


def hoc(folder):
    texts = {"inducing angiogenesis": "Vessels sprout.", "cellular energetics": "Glucose burns.", "resisting cell death": "Cells live on."}
    rows = [
        {"index": f"{number}{place}", "sentence": f"{text} {number}", "gold": label}
        for place, (label, text) in enumerate(texts.items())
        for number in range(12)
    ]
    both = {"index": "999", "sentence": "Vessels sprout. Glucose burns.", "gold": "inducing angiogenesis;cellular energetics"}
    with gzip.open(folder / "train.json.gz", "wt") as file:
        json.dump(rows[1:], file)
    (folder / "test.json").write_text(json.dumps([rows[0], both]))


def mtsample(folder):
    columns = ("", "description", "medical_specialty", "sample_name", "transcription", "keywords")
    with (folder / "mtsamples.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for number in range(30):
            specialty = (" Cardiovascular / Pulmonary", " Hematology - Oncology", " IME-QME-Work Comp etc.")[number % 3]
            table.writerow([number, "Made up.", specialty, f" Visit - {number}", f"SUBJECTIVE:,  Note {number // 2},\nof {number // 2} lines.", "made, up"])
        table.writerow([30, "Empty.", " Radiology", " Empty", "", ""])


def pubmed(folder):
    row = {
        "article_text": ["mice were fed .", "they grew ."],
        "abstract_text": ["<S> mice grew . </S>", "<S> food helps . </S>"],
        "section_names": ["a"],
        "sections": [["b"]],
    }
    lines(folder / "test.txt", [row | {"article_id": f"PMC{number}", "labels": None} for number in (1, 2)])
    lines(folder / "train.txt", [row | {"article_id": "PMC3"}])


def mimic(folder):
    for patient, study, findings in (
        ("p10000001", "s50000001", "Lungs are clear."),
        ("p10000001", "s50000002", ""),
        ("p10000002", "s50000003", "Large heart."),
    ):
        path = folder / "files" / "p10" / patient / f"{study}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"                                 FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n\n INDICATION:  ___ with cough.\n\n"
            f" FINDINGS: \n \n {findings}\n\n"
            " IMPRESSION: \n \n No acute\n process.\n"
        )


def mednli(folder):
    rows = [
        {"sentence1": "Labs were notable for Cr 1.7.", "pairID": f"p{number}", "sentence2": f"The patient has {what}.", "gold_label": label}
        for number, (what, label) in enumerate([("high Cr", "entailment"), ("normal Cr", "contradiction"), ("a cold", "neutral")])
    ]
    lines(folder / "mli_test_v1.jsonl", rows)
    lines(folder / "mli_train_v1.jsonl", [row | {"sentence1": "Temperature was 39."} for row in rows])


def bionli(folder):
    (folder / "test.csv").write_text('supp_set,conclusion,label\n"A raised B, twice. B fell.",A raises B.,pos\nC lowered D.,C raises D.,neg\n')


def bc5cdr(folder):
    for name, drug in (("train", "Aspirin"), ("devel", "Zinc"), ("test", "Morphine")):
        (folder / f"{name}.tsv").write_text(
            f"{drug}\tB-Chemical\ncaused\tO\nheart\tB-Disease\nfailure\tI-Disease\nchest\tB-Disease\npain\tI-Disease\n.\tO\n\nNothing\tO\n.\tO\n\n{drug}\tB-Chemical\n"
        )


def ncbi(folder):
    (folder / "test.tsv").write_text("Ataxia\tB-Disease\n-\tI-Disease\ntelangiectasia\tI-Disease\nis\tO\nrare\tO\n.\tO\n\nAll\tO\nwell\tO\n\n")


MAKERS = {
    "pubmedqa": pubmedqa,
    "medqa": medqa,
    "medmcqa": medmcqa,
    "emrqa": emrqa,
    "i2b2-2010": i2b2,
    "ddi-2013": ddi,
    "hoc": hoc,
    "mtsample": mtsample,
    "pubmed-summarisation": pubmed,
    "mimic-cxr": mimic,
    "bionli": bionli,
    "mednli": mednli,
    "bc5cdr": bc5cdr,
    "ncbi-disease": ncbi,
}


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The folder that holds ``medical/`` with every benchmark."""
    root = tmp_path_factory.mktemp("benchmarks")
    for name, make in MAKERS.items():
        folder = root / "medical" / BENCHMARKS[name].folder
        folder.mkdir(parents=True)
        make(folder)
    return root


@pytest.fixture
def folder_of(published):
    """``folder_of(name)``: a benchmark's folder."""
    return lambda name: published / "medical" / BENCHMARKS[name].folder
