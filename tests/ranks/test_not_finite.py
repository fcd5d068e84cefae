"""A NaN on real ranks: the weights stay finite, and the log has the bin and the step."""

import pytest
import torch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("layout", ["Megatron TP2", "FSDP2 x 2"])
def test_a_bin_whose_loss_is_nan_keeps_its_weight(train_all, layout):
    """verl's clamps stop the gradient of a NaN ratio, so the model and the other bins go on."""
    result = train_all(layout)
    for rank in result["variants"]["log-probability not finite"]["ranks"]:
        first, second, third = rank["steps"]
        moved = (second["weights"] != first["weights"]).tolist()
        assert moved == [True, False, True]
        assert third["weights"].isfinite().all() and (third["weights"] != second["weights"]).all()
        assert rank["state"]["num_updates"].tolist() == [3, 2, 3]
        if first["metrics"] is not None:
            assert [step["metrics"]["daro/loss_not_finite"] for step in rank["steps"]] == [0, 1, 0]
    assert "Loss of bin 2 of 4 is nan in optimizer step 2: its weight stays as it is." in result["log"]


@pytest.mark.parametrize("layout", ["Megatron TP2", "FSDP2 x 2"])
def test_no_weight_moves_where_the_gradient_is_nan(train_all, layout):
    """FSDP2's engine skips the model's step and goes on; Megatron's takes it, so its third gradient is NaN as well."""
    result = train_all(layout)
    not_finite = [0, 1, 1] if layout.startswith("Megatron") else [0, 1, 0]
    for rank in result["variants"]["gradient not finite"]["ranks"]:
        weights = [step["weights"] for step in rank["steps"]]
        assert all(w.isfinite().all() for w in weights)
        assert not torch.equal(weights[0], torch.ones(3)) and torch.equal(weights[1], weights[0])
        assert torch.equal(weights[2], weights[0]) == bool(not_finite[2])
        assert rank["state"]["version"] == not_finite.count(0)
        if rank["steps"][0]["metrics"] is not None:
            assert [step["metrics"]["daro/gradient_not_finite"] for step in rank["steps"]] == not_finite
    assert "optimizer step 2 is not finite or the step failed; difficulty weights stay at version 1" in result["log"]
    assert "Bins whose loss is not finite over all ranks: 2of4" in result["log"]
