"""A short supervised warm start, so that RL begins with responses that are sometimes right.

Careful solutions come first and teach the model to add. Then careless ones join them, and teach it to doubt, ramble and
err.
"""

import json
import math
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from examples.quickstart.sums.pass_rates import measure_pass_rates
from examples.quickstart.sums.task import LEVELS, Problem, draw_problem, draw_split, held_out_problems, worked_solution
from examples.quickstart.sums.tokenizer_model import build_model, build_tokenizer, encode_prompt

STEPS = 500
CAREFUL_SHARE = 0.7  # of the steps: only careful solutions
CARELESS_SHARE = 0.5  # of the solutions in the steps after those
BATCH_SIZE = 32
LEARNING_RATE = 2e-3
NUM_THREADS = 1  # as fast as two for so small a model, and not slowed by other work on the machine
MAX_TOKENS = 72  # a longer solution is cut off in the supervised data
IGNORED = -100  # label that cross-entropy skips
REPORT = "warm_start.json"  # written last: a model directory that holds it is complete


def warm_start(directory: Path, steps: int = STEPS, num_measured: int = 200) -> dict:
    """Train a model into ``directory`` unless it already has a complete one, and return the report about it.

    The model gets its name in one rename. An interruption leaves no directory, not even a temporary one.

    Args:
        directory: for the model, its tokenizer and the report.
        steps: optimizer steps.
        num_measured: training problems on which pass rates are measured at the end, 8 responses each.
    """
    report_file = directory / REPORT
    if report_file.exists():
        return json.loads(report_file.read_text())
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        start = time.monotonic()
        tokenizer, model, losses = train(steps)
        held_out = frozenset(held_out_problems())
        report = {"steps": steps, "parameters": model.num_parameters()}
        report |= {"first_loss": losses[0], "last_loss": losses[-1]}
        report |= measure_pass_rates(model, tokenizer, draw_split(num_measured, seed=4, exclude=held_out))
        report["seconds"] = time.monotonic() - start
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        (partial / REPORT).write_text(json.dumps(report, indent=1))
        shutil.rmtree(directory, ignore_errors=True)  # a directory without a report is incomplete
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return report


def train(steps: int, seed: int = 0) -> tuple[PreTrainedTokenizerFast, Qwen2ForCausalLM, list[float]]:
    """Run the supervised loop: AdamW, linear warm-up, cosine decay. Returns each step's loss too, in nats per token."""
    torch.set_num_threads(NUM_THREADS)
    torch.manual_seed(seed)
    rng, held_out = random.Random(seed), frozenset(held_out_problems())
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 30) * (0.05 + 0.475 * (1 + math.cos(math.pi * step / steps)))
    )
    losses = []
    progress = tqdm(range(steps), desc="warm start", unit="step", mininterval=2)
    for step in progress:
        careless_share = CARELESS_SHARE if step >= CAREFUL_SHARE * steps else 0.0
        tokens, labels = supervised_batch(tokenizer, rng, held_out, careless_share)
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return tokenizer, model, losses


def supervised_batch(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, held_out: frozenset[Problem], careless_share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts with solutions, padded on the right: tokens and labels, each (BATCH_SIZE, longest)."""
    rows = []
    while len(rows) < BATCH_SIZE:
        problem = draw_problem(rng, rng.choice(LEVELS))
        if problem not in held_out:
            text = worked_solution(problem, rng, careless=rng.random() < careless_share)
            solution = (tokenizer.encode(text) + [tokenizer.eos_token_id])[:MAX_TOKENS]
            rows.append((encode_prompt(tokenizer, problem.prompt), solution))
    longest = max(len(prompt) + len(solution) for prompt, solution in rows)
    tokens = torch.full((BATCH_SIZE, longest), tokenizer.pad_token_id)
    labels = torch.full((BATCH_SIZE, longest), IGNORED)
    for row, (prompt, solution) in enumerate(rows):
        end = len(prompt) + len(solution)
        tokens[row, :end] = torch.tensor(prompt + solution)
        labels[row, len(prompt) : end] = torch.tensor(solution)
    return tokens, labels
