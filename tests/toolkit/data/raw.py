"""Rows of our own making in the schemas of the published files, with the traps that the real ones have."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
THINK = "Think first, between <think> and </think>, then answer."


def openr1(problem: str, answer: str, index: int = 0, system: str = THINK) -> Row:
    prompt = [{"role": "system", "content": system}, {"role": "user", "content": problem}]
    return {
        "data_source": "openr1",
        "prompt": prompt,
        "target": [{"role": "assistant", "content": f"<think>\n...</think>\n\\boxed{{{answer}}}"}],
        "ability": "math",
        "reward_model": {"ground_truth": answer, "style": "rule"},
        "extra_info": {"index": index, "split": "default"},
    }


DAPO_BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of the form "
    "Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\n"
)
DAPO_AFTER = '\n\nRemember to put your answer on its own line after "Answer:".'


def dapo_original(problem: str, answer: str, index: str = "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079") -> Row:
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": DAPO_BEFORE + problem + DAPO_AFTER, "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": index},
    }


def dapo_processed(problem: str, answer: str) -> Row:
    original = dapo_original(problem, answer)
    return {"prompt": problem, "solution": answer, "source_prompt": original["prompt"]} | {
        name: original[name] for name in ("data_source", "ability", "reward_model", "extra_info")
    }


def math(problem: str, solution: str, level: str = "Level 5") -> Row:
    return {"problem": problem, "level": level, "type": "Algebra", "solution": solution}


def aime24(problem: str, answer: str, number: int = 60) -> Row:
    url = "https://example.com/2024_AIME_I_Problems/Problem_1"
    return {"id": number, "problem": problem, "solution": "...", "answer": answer, "url": url, "year": "2024"}


def aime25(problem: str, answer: str, number: str = "0") -> Row:
    return {"problem": problem, "answer": answer, "id": number}


def amc(problem: str, answer: float, number: int = 0) -> Row:
    return {"id": number, "problem": problem, "answer": answer, "url": "https://example.com/2023_AMC_12A"}


def math500(problem: str, answer: str, level: int = 2) -> Row:
    identifier = "test/precalculus/807.json"
    row = {"problem": problem, "solution": "...", "answer": answer, "subject": "Precalculus", "level": level}
    return row | {"unique_id": identifier}


def minerva(question: str, answer: str) -> Row:
    return {"question": question, "answer": answer}


def olympiadbench(question: str, final_answer: Any, unit: str | None = None, multiple: bool = False) -> Row:
    row = {"id": 1606, "question": question, "solution": ["..."], "final_answer": final_answer, "context": None}
    row |= {f"image_{number}": None for number in range(1, 3)}
    row |= {"modality": "Text-only", "difficulty": "Competition", "is_multiple_answer": multiple, "unit": unit}
    row |= {"answer_type": "Numerical", "error": None, "question_type": "Open-ended", "subfield": "Number Theory"}
    return row | {"subject": "Math", "language": "English"}


# One file for each benchmark, with problems that are in no other
BENCHMARK_ROWS: dict[str, list[Row]] = {
    "aime24": [aime24("Find the least $n$ with $n! > 10^{70}$.", "073")],
    "aime25": [aime25("Find the angle in degrees.", "336^\\circ")],
    "amc": [amc("How many miles is it from $A$ to $B$?", 142.0)],
    "math500": [math500("What is the price of the book?", r"\$18.90"), math500("Solve $x>3$, $x \\le 4$.", "(3,4]")],
    "minerva": [minerva("What is the luminosity in ergs per second?", "4.5e33")],
    "olympiadbench": [olympiadbench("Find all such primes $p$ below 100.", ["$69$,$84$"], multiple=True)],
}


def write_jsonl(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_parquet(path: Path, rows: Sequence[Row]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path
