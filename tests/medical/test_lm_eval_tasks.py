"""lm-eval asks the same questions and scores them in the same way (skipped where lm-eval is not installed)."""

import pytest

from bridge.medical.ask import judged_answers
from bridge.medical.benchmarks import BENCHMARKS, splits
from bridge.medical.lm_eval_tasks import lm_eval_tasks
from bridge.medical.scores import figure

NAMES = ["medqa", "ddi-2013", "hoc", "bc5cdr"]


def test_a_missing_benchmark_is_named(tmp_path):
    with pytest.raises(ValueError, match="no data of hoc, expected a folder for each; found none"):
        lm_eval_tasks(tmp_path, ["hoc"])
    assert lm_eval_tasks(tmp_path) == []


def test_tasks_score_as_the_command_does(published, folder_of):
    for name, task in zip(NAMES, lm_eval_tasks(published / "medical", NAMES), strict=True):
        items, about = splits(name, folder_of(name))["test"], BENCHMARKS[name]
        docs = [{"id": item.id, "question": item.question, "answer": item.answer} for item in items]
        answers = [item.answer if number else "no idea" for number, item in enumerate(items)]
        results = [task["process_results"](doc, [answer]) for doc, answer in zip(docs, answers, strict=True)]
        for metric in task["metric_list"]:
            ours = figure(judged_answers(items, answers), metric["metric"], negative=about.negative)
            assert metric["aggregation"]([result[metric["metric"]] for result in results]) == ours
        assert task["doc_to_text"](docs[0]) == items[0].question


@pytest.mark.filterwarnings("ignore")  # lm-eval's own
def test_lm_eval_runs_them_with_a_model_of_its_own(published, folder_of):
    lm_eval = pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    from lm_eval.api.model import LM

    truth = {item.question: item.answer for name in NAMES for item in splits(name, folder_of(name))["test"]}

    class Oracle(LM):
        """Knows the answers."""

        def generate_until(self, requests, disable_tqdm=False):
            assert all(request.args[1]["max_gen_toks"] in (8, 48) for request in requests)
            return [truth[request.args[0]] for request in requests]

        def loglikelihood(self, requests):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    found = lm_eval.simple_evaluate(Oracle(), tasks=lm_eval_tasks(published / "medical", NAMES), bootstrap_iters=0, log_samples=False)["results"]
    for name in NAMES:
        row = found[f"bridge_{name.replace('-', '_')}"]
        assert {row[f"{metric},none"] for metric in BENCHMARKS[name].metrics} == {1.0}
        assert row["unparsed,none"] == 0.0
