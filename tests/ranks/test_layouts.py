"""One batch, one model: the same loss, gradient, ``L_k``, ``T_k`` and weights on every parallel layout.

Each layout trains the same three mini-batches, once for each variant (``variants.py``), on spawned ranks with verl's
own engines and DARO's actor worker, and is compared with one process that computes the formula on the Hugging Face
model (``reference.py``), so all layouts agree with each other.

The scaling chain that must cancel, for the part ``p_rj`` of ``sum_k w_k L_k`` that rank ``r`` computes in micro-batch
``j``: ``(1 / N) sum over its responses of s_k sum_t loss_it`` with ``s_k = w_k N / T_k``; ``N`` and ``T_k`` are counted
over all ranks and micro-batches::

    verl (token-mean)    p_rj * D                  D = data-parallel size: engines average gradients over ranks
    Megatron engine      p_rj * D * M              M = micro-batches (verl's engine multiplies)
    Megatron schedule    p_rj * D * M / M          divides by them again (FSDP2's engine does neither)
    summed over j        D * sum_j p_rj
    data-parallel mean   sum_r sum_j p_rj  =  sum_k w_k L_k

With context parallelism Megatron-Bridge's per-token regime takes the place of the second and third line: the engine
returns ``p_rj * D * N / D`` with ``N`` = all tokens, and every gradient is summed over ranks and divided by ``N``.

Covered: Megatron DP1, DP2, TP2, PP2, FSDP2 on two ranks; one, two and five micro-batches of uneven size,
static and dynamic; prompts scattered over ranks, in three orders; off-policy ratios and clipping; ``vanilla`` and
``gspo``; rejected tokens and truncated importance weights; several optimizer steps for one batch.
Not covered here: context parallelism, which needs Transformer Engine (its arithmetic:
``unit/test_layout_arithmetic.py``; on GPUs: ``test_context_parallel.py``).
"""

import pytest
import torch

from tests.ranks import matrix
from tests.ranks.variants import TESTED, VARIANTS

pytestmark = pytest.mark.slow
BOUND = 3e-6  # relative, float32; the engines' own differences (DARO off) are 5e-7 (benchmarks/results/layouts.json)
# One per kind: TP2 x DP2, TP2 x PP2 (four ranks) and FSDP2 on one are run by benchmarks/layouts.py.
LAYOUTS = ("Megatron DP1", "Megatron DP2", "Megatron TP2", "Megatron PP2", "FSDP2 x 2")
DARO_VARIANTS = [name for name in TESTED if VARIANTS[name].daro]


@pytest.mark.parametrize("layout", LAYOUTS)
class TestLayout:
    @pytest.mark.parametrize("variant", DARO_VARIANTS)
    def test_everything_equals_the_formula(self, model, train_all, layout, variant):
        """The gradient as closely as without DARO, which is the engine's own difference."""
        difference, off = (matrix.compare(model, train_all(layout), name) for name in (variant, "DARO off"))
        assert difference.largest <= BOUND, difference
        assert difference.gradient <= 2 * off.gradient <= 2 * BOUND

    def test_every_rank_holds_the_same_weights_to_the_last_bit(self, train_all, layout):
        for name in DARO_VARIANTS:
            first, *others = train_all(layout)["variants"][name]["ranks"]
            for other in others:
                for a, b in zip(first["steps"], other["steps"], strict=True):
                    assert torch.equal(a["weights"], b["weights"])
            assert all((step["weights"] != 1).all() for step in first["steps"])  # they did move

    def test_the_batch_was_split_as_asked(self, train_all, layout):
        for name in DARO_VARIANTS:
            for rank in train_all(layout)["variants"][name]["ranks"]:
                splits = {n for n in rank["num_micro_batches"] if n}  # 0 on ranks that do not compute the loss
                assert splits <= {VARIANTS[name].micro_batches}, (name, splits)
        assert len(splits) == 1  # the last rank has the last pipeline stage

    def test_one_update_for_every_optimizer_step(self, train_all, layout):
        """Two mini-batches of half the batch, twice: four gradients, four versions."""
        result = train_all(layout)["variants"]["2 epochs x 2 mini-batches"]
        assert len(result["gradients"]) == 4
        for rank in result["ranks"]:
            assert rank["state"]["version"] == 4
            assert rank["state"]["num_updates"].tolist() == [4, 4, 4]

    def test_one_rank_says_what_a_step_did(self, train_all, layout):
        """Rank 0, which on a pipeline's first stage has no output."""
        first, *others = train_all(layout)["variants"]["static 2"]["ranks"]
        assert [line.partition(" pass ")[0] for line in first["said"]] == ["DARO step 1:"]
        assert not any(rank["said"] for rank in others)


def test_the_formula_exercises_what_it_should(model):
    """The cases above would prove little if weights stayed at 1, nothing was clipped or the model stood still."""
    for name in DARO_VARIANTS:
        steps = matrix.expected(model, name, 1)
        assert (steps[-1].weights_after - 1).abs().min() > 0.1
        assert all(step.losses.isfinite().all() and (step.tokens > 0).all() for step in steps)
    one, two = matrix.expected(model, "static 1", 1), matrix.expected(model, "2 epochs x 2 mini-batches", 1)
    assert matrix.distance(one[0].gradient, one[1].gradient) > 0.1
    # the second epoch sees the same mini-batches off-policy: other losses from the same tokens
    assert torch.equal(two[0].tokens, two[2].tokens)
    assert matrix.distance_of(two[2].losses, two[0].losses) > 1e-3
    # rejected tokens are not in T_k
    rejected = matrix.expected(model, "rejection", 1)
    assert (rejected[0].tokens < one[0].tokens).all()
