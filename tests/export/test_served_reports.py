"""A report through a server is the report that is written here: same tokens, same claims, same confidence."""

import json
import re

import pytest
import torch

from bridge.__main__ import main
from bridge.export.client import Ask, Client
from bridge.export.export import read_export, write_export
from bridge.export.reports import served_reports, write_reports
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK
from bridge.language.server import Server
from bridge.language.subject import subjects
from bridge.report.cohort.report_files import file_name
from bridge.report.generation.generate import generate
from bridge.report.render import to_markdown
from bridge.report.schema import Report
from bridge.report.write import write_report


def local_report(bridge, cohort, sample, **settings):
    row = cohort.ids.index(sample)
    (subject,) = subjects(cohort, [row])
    values = {modality: cohort.values(modality)[row] for modality in sorted(subject.present)}
    return write_report(bridge, subject, values, **settings)


def without_maker(report):
    """A report but for what made it and what needs the bundle beside it, numbers rounded: two programs add in another order."""
    fields = report.model_dump(mode="json", exclude={"provenance", "measured", "retrieved", "agreement", "position"})
    return json.loads(json.dumps(fields), parse_float=lambda number: round(float(number), 3))


@pytest.mark.parametrize("form", ["llama-2", "llama-3", "chatml"])
def test_reports_through_a_server_are_those_written_here(form, exported, served, tiny_cohort):
    bridge, export = exported(form)
    client, _ = served(export)
    samples = ["sample-20", "sample-03", "sample-05"]  # the second has no gene, the third no brain
    found = list(served_reports(export, tiny_cohort, client, samples, max_new_tokens=16))
    expected = [local_report(bridge, tiny_cohort, sample, max_new_tokens=16) for sample in samples]
    assert [report.text for report in found] == [report.text for report in expected]
    assert [without_maker(report) for report in found] == [without_maker(report) for report in expected]
    assert found[1].missing == ("gene",)
    assert found[0].provenance.versions["vllm"] == "0.33.0"
    assert found[0].provenance.notices == expected[0].provenance.notices
    assert len({report.text for report in found}) > 1


def test_an_answer_ends_where_it_ends_here(export, bundle, served, tiny_cohort, tmp_path):
    """The end token is made one that the model writes: both stop there, and it is not in the text."""
    bridge, folder = bundle()
    row = tiny_cohort.ids.index("sample-24")
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)[row : row + 1]) for modality in tiny_cohort.modalities}
    prompt, soft = Prompt(bridge.language.tokenizer), export.embeds["sample-24"]
    asked = Ask(soft, export.prompt.text(REPORT_ASK[0]), export.prompt.count(len(soft), REPORT_ASK[0]), 24)
    unended = served(export)[0].ask(asked)
    others = prompt.opening + prompt.question(REPORT_ASK[0])
    end = next(token for token in unended.ids[4:] if token not in others)
    bridge.language.tokenizer.eos_token = bridge.language.tokenizer.convert_ids_to_tokens(end)
    write_export(bridge, folder, tmp_path / "served", cohort=tiny_cohort)
    ended = read_export(tmp_path / "served")
    client, _ = served(ended)
    (report,) = served_reports(ended, tiny_cohort, client, ["sample-24"], max_new_tokens=24)
    assert client.ask(asked).ids == unended.ids[: unended.ids.index(end) + 1]
    assert report.text == generate(bridge, values, [REPORT_ASK[0]], max_new_tokens=24)[0] == prompt.decode(unended.ids[: unended.ids.index(end)])


def test_only_the_soft_tokens_and_the_text_are_sent(export, served, tiny_cohort):
    client, stub = served(export)
    list(served_reports(export, tiny_cohort, client, ["sample-24"], max_new_tokens=2))
    (message,) = stub.requests[0]["messages"]
    embeds, text = message["content"]
    assert text == {"type": "text", "text": REPORT_ASK[0]}
    soft = export.embeds["sample-24"]
    assert len(embeds["data"]) * 3 / 4 < soft.numel() * soft.element_size() + 2000  # the container of torch.save is about 1.2 kB


def test_a_sample_that_was_not_exported_is_named_before_anything_is_asked(export, tiny_cohort):
    with pytest.raises(ValueError, match=r"sample 'sample-99': expected one that is in tiny and in .*llama-3; export it with"):
        list(served_reports(export, tiny_cohort, Client(Server("http://localhost:1"), "bridge"), ["sample-24", "sample-99"]))


def test_reports_are_written_once_and_a_stopped_run_goes_on(tmp_path):
    asked = []

    def ask(samples):
        for sample in samples:
            if len(asked) == 2:
                raise ValueError("server gone")
            asked.append(sample)
            yield Report(id=sample, provenance={"bundle": "runs/b 1234"})

    with pytest.raises(ValueError, match="server gone"):
        write_reports(ask, ["a/1", "b", "c"], tmp_path / "reports", "runs/b 1234")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["a%2F1.json", "a%2F1.md", "b.json", "b.md"]
    asked.clear()
    assert write_reports(ask, ["a/1", "b", "c"], tmp_path / "reports", "runs/b 1234") == 1
    assert asked == ["c"]
    asked.clear()
    assert write_reports(ask, ["a/1"], tmp_path / "reports", "runs/another") == 1


@pytest.mark.parametrize(("sample", "name"), [("sub-01", "sub-01"), ("../x", "%2E.%2Fx"), ("..", "%2E."), ("GO:1", "GO%3A1")])
def test_an_id_becomes_a_file_name_inside_the_folder(sample, name):
    assert file_name(sample) == name


def test_the_commands_export_a_bundle_and_write_its_reports(bundle, served, tiny_cohort_file, tmp_path, capsys, monkeypatch):
    _, folder = bundle()
    out = tmp_path / "export"
    assert main(["export", str(folder), "--cohort", str(tiny_cohort_file), "--out", str(out)]) == 0
    assert re.search(r"soft tokens of 8 samples, 0 refused; serve it with .*/launch.sh", capsys.readouterr().out)
    client, _ = served(read_export(out), key="secret")
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    line = ["reports", str(out), "--server", client.server.url, "--max-new-tokens", "4", "--out", str(tmp_path / "reports")]
    assert main(line) == 0
    assert "wrote 8 reports" in capsys.readouterr().out
    report = Report.model_validate_json((tmp_path / "reports" / "sample-24.json").read_text())
    assert report.id == "sample-24"
    assert (tmp_path / "reports" / "sample-24.md").read_text() == to_markdown(report)
    assert main(line) == 0
    assert "wrote 0 reports" in capsys.readouterr().out
