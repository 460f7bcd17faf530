"""Notes and general text from JSON lines, tables, parquet, folders of text, and the documentation of packages."""

import json
import sys

import pandas as pd
import pytest
from corpus_files import gzipped

from bridge.corpora import documents
from bridge.corpora.documents import STUDIES
from bridge.corpora.formats import read_corpus

ROWS = [{"note": "First, note.\nSecond line.", "extra": "More.", "id": "n1", "terms": "CC0"}, {"note": "Other note.", "extra": "", "id": "n2", "terms": ""}]
COLUMNS = {"text_column": ["note", "extra"], "id_column": "id", "licence_column": "terms", "licence": "agreement"}


def write(path, rows=ROWS):
    frame = pd.DataFrame(rows)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("format", ["jsonl", "csv", "tsv", "parquet"])
def test_a_row_is_a_document_with_its_own_licence_or_that_of_the_source(tmp_path, format):
    path = write(tmp_path / f"notes.{format}")
    assert list(read_corpus(format, path, **COLUMNS)) == [
        ("n1", "First, note.\nSecond line.\n\nMore.", f"notes.{format}", "CC0"),
        ("n2", "Other note.", f"notes.{format}", "agreement"),
    ]
    first = next(read_corpus(format, tmp_path, text_column="note", source="Notes of a clinic"))
    assert (first.id, first.source, first.licence) == (f"notes.{format}:1", "Notes of a clinic", "")


@pytest.mark.parametrize("format", ["jsonl", "csv", "tsv", "parquet"])
def test_a_missing_column_is_named_with_those_that_are_there(tmp_path, format):
    with pytest.raises(
        ValueError, match=rf"notes.{format}.*, field text: is missing, found \['note', 'extra', 'id', 'terms'\]; name the fields by text_column"
    ):
        list(read_corpus(format, write(tmp_path / f"notes.{format}")))


def test_gzipped_tables_and_very_long_notes_are_read(tmp_path):
    path = gzipped(tmp_path / "notes.csv.gz", f'text\n"{"word " * 50_000}"\n')
    assert len(next(read_corpus("csv", tmp_path)).text) == 249_999
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r"notes.csv.gz: cannot be read to its end"):
        list(read_corpus("csv", path))


@pytest.mark.parametrize(
    ("format", "text", "message"),
    [
        ("jsonl", '{"text": "a"}\n{"text": "b', "line 2: found .* expected one JSON object"),
        ("jsonl", '["text"]\n', "line 1: found list, expected a JSON object"),
        ("jsonl", '{"text": 3}\n', "line 1, field text: found int, expected text"),
        ("csv", "text,id\na,b,c\n", "line 2: found 3 fields, expected 2"),
        ("csv", 'text\n"open', "line 2: found unexpected end of data"),
        ("parquet", "PAR1", "expected a whole parquet file"),
        ("csv", b"text\n\xff\xfe\n", "cannot be read to its end"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, format, text, message):
    path = tmp_path / f"bad.{format}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as error:
        list(read_corpus(format, path))
    assert "bad." in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_of_text_gives_each_file_by_its_place(tmp_path):
    (tmp_path / "notes" / "b").mkdir(parents=True)
    (tmp_path / "notes" / "b" / "two.md").write_text("Two.\r\n")
    (tmp_path / "notes" / "one.txt").write_text("One.")
    (tmp_path / "notes" / "figure.png").write_bytes(b"\x89PNG")
    found = list(read_corpus("text", tmp_path / "notes", licence="mine"))
    assert found == [("b/two.md", "Two.", "notes", "mine"), ("one.txt", "One.", "notes", "mine")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: found no file that ends in .txt or .md or .rst"):
        list(read_corpus("text", tmp_path / "empty"))


def test_a_package_is_documented_by_its_read_me_and_docstrings_without_being_imported(tmp_path):
    package, about = tmp_path / "brainpack", tmp_path / "brain_pack-1.2.dist-info"
    (package / "tests").mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").write_text(
        '"""What it is."""\nraise SystemExit\ndef measure():\n    """Say how large.\n\n    In mm.\n    """\ndef _hidden():\n    """No."""\n'
    )
    (package / "broken.py").write_text("def (")
    (package / "tests" / "test_it.py").write_text('"""No."""')
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: brain-pack\nVersion: 1.2\nClassifier: License :: OSI Approved :: MIT License\n\n# Brain pack\nReads.\n"
    )
    (about / "RECORD").write_text("".join(f"brainpack/{name},,\n" for name in ("__init__.py", "broken.py", "tests/test_it.py")))
    readme, module, broken = read_corpus("packages", tmp_path, names=["Brain_Pack"])
    assert readme == ("brain-pack:README", "# Brain pack\nReads.", "brain-pack 1.2", "MIT License")
    assert module == ("brain-pack:brainpack/__init__.py", "What it is.\n\nmeasure: Say how large.\n\nIn mm.", "brain-pack 1.2", "MIT License")
    assert broken.text == ""
    assert "brainpack" not in sys.modules
    with pytest.raises(ValueError, match=r"field names: 'no-such' is not installed, found 1 packages"):
        list(read_corpus("packages", tmp_path, names=["no-such"]))


def test_an_installed_package_brings_its_licence():
    found = list(read_corpus("packages", names=["einops"]))
    assert {record.licence for record in found} == {"MIT License"} or {record.licence for record in found} == {"MIT"}
    assert any("rearrange" in record.text for record in found)


def test_abstracts_of_studies_come_from_the_pinned_package(tmp_path, monkeypatch):
    path = tmp_path / "studies.parquet"
    pd.DataFrame({"study_id": ["s1"], "name": ["A title"], "description": ["An abstract."], "authors": ["A. Author"]}).to_parquet(path)
    monkeypatch.setattr(documents, "fetch", lambda package, members: {members[0]: path} if (package, members) == ("nimare", [STUDIES]) else {})
    (found,) = read_corpus("nimare")
    assert (found.id, found.text) == ("s1", "A title\n\nAn abstract.")
    assert found.source == "NiMARE 0.22.1, nback_vs_flanker_studyset_2026-07"
    assert "MIT" in found.licence
