"""Whole runs but for the engine: figures, interruption and resume, and everything that is refused before it starts."""

import json
import shutil
import sys
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.evaluation.evaluation_spec import EvaluationSpec
from daro_verl.toolkit.evaluation.inference import Resources
from daro_verl.toolkit.evaluation.progress import Progress
from daro_verl.toolkit.evaluation.rendering import Renderer
from daro_verl.toolkit.evaluation.run import evaluate
from tests.toolkit.evaluation.fake import FakeEngine
from tests.toolkit.evaluation.files import Question, write

pytest.importorskip("verl")


def answer(question: str, index: int) -> str:
    """AIME: right in half of the responses. MATH-500: always right."""
    number = int("".join(filter(str.isdigit, question)))
    if "plus x" in question:
        return rf"\boxed{{x + {number}}}"
    return rf"\boxed{{{number + 1 + index % 2}}}"


@pytest.fixture
def job(model, test_file, tmp_path):
    return EvaluationSpec(str(model), test_file, tmp_path / "run", Resources(1, 1, 0.9, {}), response_tokens=50)


def run(job, num_rows=None, answer=answer):
    """The summary, and the engine; None where none was needed."""
    started = []

    def start(*_):
        started.append(FakeEngine(AutoTokenizer.from_pretrained(job.checkpoint), answer, num_rows))
        return started[0]

    try:
        summary = evaluate(job, Progress(), start)
    finally:
        assert all(engine.is_down for engine in started)
    return summary, started[0] if started else None


def test_the_figures_reach_both_files(job):
    summary, engine = run(job)
    assert len(engine.asked) == 7
    values = json.loads((job.out / "report.json").read_text())
    assert values["benchmarks"]["aime24"]["mean"] == 0.5 and values["benchmarks"]["math500"]["mean"] == 1
    # 2 of 4 are right: pass@2 = 1 - C(2, 2) / C(4, 2) = 5 / 6; the wrong ones agree too: a tie
    found = values["benchmarks"]["aime24"]["figures"]
    assert found == {
        "mean@4": {"mean": 0.5, "se": 0.0}, "pass@2": {"mean": pytest.approx(5 / 6), "se": 0.0},
        "pass@4": {"mean": 1.0, "se": 0.0}, "maj@4": {"mean": 0.5, "se": 0.0},
    }  # fmt: skip
    assert list(values["benchmarks"]["math500"]["figures"]) == ["mean@1"]
    assert values["average"] == {"mean": 0.75, "se": 0.0}
    assert values["settings"]["temperature"] == 0.6 and values["settings"]["seeding"] == "per_sample"
    assert values["launches"] == [{"engine": "vllm", "version": "1.0", "tp": 1, "dp": 1}]
    table = (job.out / "report.md").read_text()
    assert "| aime24 | 3 | 4 | 50.0 ± 0.0 | 0.0 | 0 | 0 | 0 | 10 |" in table
    assert "| average | | | 75.0 ± 0.0 |" in table and "vllm 1.0 (TP 1, DP 1)" in table
    assert "| benchmark | pass@2 | pass@4 | maj@4 |\n| --- | --- | --- | --- |\n" in table
    assert "| aime24 | 83.3 ± 0.0 | 100.0 ± 0.0 | 50.0 ± 0.0 |" in table


def test_an_interrupted_run_goes_on_without_repeating_a_row(job):
    few = replace(job, in_flight=1)
    with pytest.raises(KeyboardInterrupt):
        run(few, num_rows=3)
    assert not (job.out / "report.json").exists()
    lines = (job.out / "rows.jsonl").read_text().splitlines()
    assert len(lines) == 3
    _, engine = run(few)
    assert len(engine.asked) == 4
    assert (job.out / "rows.jsonl").read_text().splitlines()[:3] == lines
    assert run(few)[1] is None  # finished: no engine is started


def test_each_response_has_a_seed_of_the_run_the_problem_and_its_number(job, tmp_path):
    """Whatever the layout, the order and the interruptions: 3 problems x 4 responses and 4 x 1, 16 seeds."""
    _, whole = run(job)
    with pytest.raises(KeyboardInterrupt):
        run(replace(job, out=tmp_path / "two", in_flight=1), num_rows=2)
    _, rest = run(replace(job, out=tmp_path / "two", in_flight=4, resources=Resources(1, 2, 0.9, {})))
    assert len(set(whole.seeds.values())) == len(whole.seeds) == 16
    assert 0 < len(rest.seeds) < 16 and rest.seeds.items() <= whole.seeds.items()
    _, other = run(replace(job, out=tmp_path / "three", seed=1))
    assert other.seeds.keys() == whole.seeds.keys() and not set(other.seeds.values()) & set(whole.seeds.values())


def test_long_responses_that_are_equal_are_said(job):
    """Each AIME row: two of the four responses of 300 characters are equal; the short ones of MATH-500 do not count."""
    job = replace(job, response_tokens=350)
    run(job, answer=lambda question, index: "x" * 300 + str(index % 3) if "plus one" in question else "x")
    report = (job.out / "report.md").read_text()
    assert "WARNING: 3 responses to aime24 of 256 or more tokens repeat another response" in report
    assert json.loads((job.out / "report.json").read_text())["benchmarks"]["aime24"]["repeated"] == 3


def test_a_run_that_was_begun_without_seeds_of_responses_is_not_gone_on_with(job):
    with pytest.raises(KeyboardInterrupt):
        run(replace(job, in_flight=1), num_rows=3)
    path = job.out / "settings.json"
    settings = json.loads(path.read_text())
    del settings["seeding"]
    path.write_text(json.dumps(settings))
    with pytest.raises(DaroConfigError, match="seeding: got 'per_sample', expected ''. Fix: name another --out"):
        run(job)


def test_a_run_of_before_the_prompts_were_recorded_goes_on(job):
    run(job)
    path = job.out / "settings.json"
    settings = json.loads(path.read_text())
    del settings["prompts"], settings["engine_args"]
    path.write_text(json.dumps(settings))
    fp8 = replace(job, resources=Resources(1, 1, 0.9, {"quantization": "fp8"}))
    assert run(fp8)[1] is None
    with pytest.raises(DaroConfigError, match="engine_args: got '{}'"):  # recorded now
        run(job)


def test_a_torn_last_line_is_done_again(job):
    run(job)
    rows = (job.out / "rows.jsonl").read_bytes()
    (job.out / "rows.jsonl").write_bytes(rows[:-20])
    _, engine = run(job)
    assert len(engine.asked) == 1
    assert len((job.out / "rows.jsonl").read_text().splitlines()) == 7


def test_a_broken_line_is_named(job):
    run(job)
    path = job.out / "rows.jsonl"
    path.write_text(path.read_text().replace('"responses"', '"answers"', 1))
    with pytest.raises(DaroDataError, match=r"line 1.*Fix: remove that line"):
        run(job)


def test_other_settings_in_the_same_folder_are_refused(job):
    run(job)
    with pytest.raises(DaroConfigError, match=r"temperature: got 1.0, expected 0.6. Fix: name another --out"):
        run(replace(job, temperature=1.0))
    with pytest.raises(DaroConfigError, match="problems: got"):
        run(replace(job, limit=1))
    (job.out / "settings.json").unlink()
    with pytest.raises(DaroDataError, match="files of another program"):
        run(job)


def test_engine_arguments_and_the_template_may_not_change_on_the_way(job, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(job.checkpoint, copy)
    job = replace(job, checkpoint=str(copy), resources=Resources(1, 1, 0.9, {"quantization": "fp8", "swap_space": 1}))
    run(job)
    run(replace(job, resources=Resources(1, 1, 0.9, {"quantization": "fp8", "max_num_seqs": 8})))
    with pytest.raises(DaroConfigError, match=r"engine_args: got '{}', expected '{\"quantization\": \"fp8\"}'"):
        run(replace(job, resources=Resources(1, 1, 0.9, {})))
    template = copy / "chat_template.jinja"
    template.write_text("Solve. " + template.read_text())
    with pytest.raises(DaroConfigError, match=r"prompts: got"):
        run(job)


def test_a_task_whose_scorer_is_not_there_is_refused_before_an_engine_starts(job, tmp_path, monkeypatch):
    data = write(tmp_path / "gym.parquet", [Question("reasoning_gym/gcd", "1?", "1", scorer="gdc", entry="{}")])
    with pytest.raises(DaroConfigError, match="the scorer of --data: got 'gdc', expected one of .*gcd"):
        run(replace(job, data=data))
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(DaroConfigError, match="reasoning-gym: got 'no such package'"):
        run(replace(job, data=data))
    assert not job.out.exists()


def test_any_of_several_answers_is_right(job, tmp_path):
    """As in training: verl's own files may have a list."""
    data = write(tmp_path / "several.parquet", [Question("amc", "1?", "")])
    rows = pq.read_table(data).to_pylist()
    rows[0]["reward_model"] = {"style": "rule", "ground_truth": ["2", "3"]}
    pq.write_table(pa.Table.from_pylist(rows), data)
    summary, _ = run(replace(job, data=data), answer=lambda *_: r"\boxed{3}")
    assert summary.benchmarks[0].mean.mean == 1


def test_parallel_sizes_may_change_on_the_way(job):
    with pytest.raises(KeyboardInterrupt):
        run(replace(job, in_flight=1), num_rows=3)
    _, engine = run(replace(job, resources=Resources(2, 4, 0.5, {})))
    assert len(engine.asked) == 4
    assert "vllm 1.0 (TP 1, DP 1); vllm 1.0 (TP 2, DP 4)" in (job.out / "report.md").read_text()


@pytest.mark.parametrize(("limit", "most"), [(1, 4), (4, 4), (6, 6), (100, 16)])
def test_no_more_responses_are_in_flight_than_asked_for(job, limit, most):
    """12 responses to 3 AIME rows, 4 to the others; a row that is larger than the limit runs alone."""
    _, engine = run(replace(job, in_flight=limit))
    assert engine.most_in_flight <= max(limit, 4) and engine.most_in_flight == most


def test_a_response_that_is_cut_off_is_truncated(job):
    summary, _ = run(replace(job, response_tokens=5))
    assert [benchmark.truncated for benchmark in summary.benchmarks] == [1, 1]
    assert [benchmark.mean.mean for benchmark in summary.benchmarks] == [0, 0]


def test_prompts_without_room_are_counted_and_wrong(job, tmp_path):
    """512 positions: a prompt of 600 bytes leaves no room, one of 480 less than 50 tokens."""
    texts = ["x" * 600 + " 1?", "x" * 460 + " 2?", "x" * 10 + " 3?"]
    data = write(tmp_path / "long.parquet", [Question("amc", text, "1") for text in texts])
    summary, engine = run(replace(job, data=data), answer=lambda *_: r"\boxed{1}")
    assert len(engine.asked) == 2
    assert summary.benchmarks[0].no_room == 1 and summary.benchmarks[0].mean.mean == pytest.approx(2 / 3)
    report = (job.out / "report.md").read_text()
    assert "1 of 3 prompts do not fit 512 tokens" in report
    assert "1 of 3 prompts leave less than 50 tokens" in report


def test_what_does_not_fit_the_model_is_refused(job, tmp_path):
    with pytest.raises(DaroConfigError, match="--response-tokens: got 8193, expected at most 512"):
        run(replace(job, response_tokens=8192))
    with pytest.raises(DaroConfigError, match="--temperature 0: got '4 equal responses'"):
        run(replace(job, temperature=0))
    with pytest.raises(DaroConfigError, match="--max-model-tokens: got 1024"):
        run(replace(job, max_model_tokens=1024))
    with pytest.raises(DaroConfigError, match="--tp .*: got 3, expected a divisor of 4 attention heads"):
        run(replace(job, resources=Resources(3, 1, 0.9, {})))
    assert not job.out.exists()


def test_a_model_without_a_chat_template_is_refused(job, tmp_path):
    bare = tmp_path / "bare"
    AutoTokenizer.from_pretrained(job.checkpoint).save_pretrained(bare)
    (bare / "chat_template.jinja").unlink()
    for name in ("config.json", "model.safetensors"):
        (bare / name).symlink_to(f"{job.checkpoint}/{name}")
    with pytest.raises(DaroDataError, match="no chat template"):
        run(replace(job, checkpoint=str(bare)))


def test_prompts_are_those_of_verls_agent_loops(model):
    """The bytes that the template writes; verl's own builder makes them, so this pins its arguments."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "1+1?"}]
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert Renderer(model).render(messages) == expected
    assert tokenizer.decode(expected).endswith("<|im_start|>assistant\n")
