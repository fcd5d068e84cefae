"""What must work where only the wheel and its dependencies are installed. Run by ``make dist`` in an empty environment.

Runs as a script, away from the repository, so that the package that is imported is the wheel's.
"""

import io
import sys
from contextlib import redirect_stdout
from importlib.metadata import distribution, entry_points, packages_distributions
from pathlib import Path

import torch
from packaging.requirements import Requirement

import daro_verl
from daro_verl import cli
from daro_verl.advantage import compute_daro_advantage, find_weighting
from daro_verl.workers.difficulty_weights import DifficultyWeights


def loaded_of_extras() -> set[str]:
    """The packages that only an extra asks for, and that are loaded: an environment without it does not have them."""
    requirements = [Requirement(text) for text in distribution("daro-verl").requires or ()]
    own, of_extras = ({one.name for one in requirements if (one.marker is None) is bare} for bare in (True, False))
    owners = packages_distributions()
    loaded = {owner for module in sys.modules for owner in owners.get(module, ())}
    return (of_extras - own - {"daro-verl"}) & loaded


def main() -> None:
    clone = Path(__file__).resolve().parents[2] / "daro_verl"
    assert clone not in Path(daro_verl.__file__).resolve().parents, f"{daro_verl.__file__} is not the wheel's"
    assert distribution("daro-verl").version == daro_verl.__version__
    (plugin,) = (one for one in entry_points(group="verl.plugins") if one.name == "daro")
    assert plugin.value == "daro_verl.plugin"

    for command in cli.COMMANDS:
        with redirect_stdout(io.StringIO()) as printed:
            assert cli.main([command, "--help"]) == 0
        assert f"Usage: daro {command}" in printed.getvalue()

    assert not loaded_of_extras(), f"needed without an extra: {loaded_of_extras()}"

    # one of four responses is right: 1 - 1/4 for it, -1/4 for the others
    scores, mask = torch.tensor([[0.0, 1.0], [0, 0], [0, 0], [0, 0]]), torch.ones(4, 2)
    advantages, _ = compute_daro_advantage(scores, mask, ["p"] * 4, find_weighting("paper"))
    assert advantages[:, 0].tolist() == [0.75, -0.25, -0.25, -0.25]

    weights = DifficultyWeights(4, {"weighting": "paper"})
    weights.step(torch.tensor([0.1, 0.0, 2.0]), torch.tensor([True, False, True]))  # 1 / L is above 1, and below
    low, absent, high = weights.weights().tolist()
    assert low > 1 and absent == 1 and high < 1
    print(f"daro-verl {daro_verl.__version__}: {len(cli.COMMANDS)} commands, the estimator and the weights work")


if __name__ == "__main__":
    main()
