"""``bridge report --what-if`` and ``--without`` as a user types them, and where a report goes."""

import json
import os
import stat
from pathlib import Path

import pytest
from tiny_study import save_bundle
from typed_command import typed

from bridge.data.whole import whole_file
from bridge.report.schema import Report


@pytest.fixture(scope="module")
def bundle(tiny_llm, tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("bundles") / "bundle", tiny_llm("chatml"))


@pytest.fixture
def report(bundle, tiny_cohort_file, capsys, tmp_path, monkeypatch):
    """``report(*words)``: the report of a sample of both modalities, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: typed(capsys, ["report", str(bundle), "--cohort", str(tiny_cohort_file), "--sample", "sample-30", "--max-new-tokens", "4", *words])


def test_several_assumptions_are_told_in_every_form(report):
    what_if = ["--what-if", "insula=0", "left cuneus = -2.5", "--without", "gene"]
    for form, begins in (("markdown", "# Report on sample-30"), ("html", "<!DOCTYPE html>"), ("json", "{")):
        status, said, complained = report(*what_if, "--format", form, "--out", f"out.{form}")
        assert (status, said) == (0, f"wrote out.{form}\n"), complained
        assert Path(f"out.{form}").read_text(encoding="utf-8").startswith(begins)
    assert "- left cuneus (brain): z +1.2 assumed to be z -2.5" in Path("out.markdown").read_text(encoding="utf-8")
    found = Report.model_validate_json(Path("out.json").read_text(encoding="utf-8"))
    assert [(each.feature, each.z) for each in found.what_if.assumed] == [("left insula", 0.0), ("right insula", 0.0), ("left cuneus", -2.5)]
    assert (found.what_if.without, found.given, found.missing) == (("gene",), ("brain",), ("gene",))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--what-if", "left inzula=1"], "no input has 'left inzula'; expected a region or gene of brain; the nearest are 'left insula', "),
        (["--what-if", "PALIDUM right=1"], "'right pallidum'"),
        (["--what-if", "insula=nan"], "expected NAME=Z"),
        (["--what-if", "insula=1e400"], "expected NAME=Z"),
        (["--what-if", "insula=1_0"], "expected NAME=Z"),
        (["--what-if", "insula=\u0663"], "expected NAME=Z"),
        (["--what-if", "insula"], "expected NAME=Z"),
        (["--what-if", "insula=0", "left insula=1"], "'left insula' is assumed twice"),
        (["--what-if", "left insula=50", "cuneus=1"], "with left insula at z 50 training has seen nothing like it (input 'brain': root mean square"),
        (["--what-if"], "fields what_if and without: found nothing behind one of them"),
        (["--without"], "fields what_if and without: found nothing behind one of them"),
        (["--without", "gene", "brain"], "found ['brain', 'gene'], which is all that the sample has"),
        (["--without", "heart"], "the sample has no 'heart' to leave out; it has ['brain', 'gene']"),
        (["--without", "brain", "--what-if", "insula=0"], "no input of the sample has named values"),
    ],
)
def test_a_mistake_is_told_in_a_line(report, words, told):
    status, said, complained = report(*words, "--out", "out.md")
    assert (status, said, Path("out.md").exists()) == (2, "", False)
    assert told in complained[complained.index("bridge report: error: ") :]


def test_an_existing_file_is_replaced_and_no_other_thing_is(report):
    Path("there.md").write_text("old")
    assert report("--out", "there.md")[0] == 0
    assert Path("there.md").read_text(encoding="utf-8").startswith("# Report on sample-30")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    for name, found in (("folder", "found a folder"), ("pipe", "found a device or a pipe"), ("there.md/x.md", "found the file there.md for a folder")):
        status, said, complained = report("--out", name)
        assert (status, said) == (2, "")
        assert found in complained
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_no_command_puts_a_file_in_the_place_of_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="found a device or a pipe, expected the name of a file"), whole_file(tmp_path / "pipe"):
        pytest.fail("it was going to be written")


def test_the_two_reports_of_a_what_if_are_of_the_same_settings(report):
    status, said, _ = report("--what-if", "insula=0", "--format", "json")
    plain = report("--format", "json")[1]
    assert status == 0
    assert json.loads(said)["what_if"]["text_before"] == json.loads(plain)["text"]
