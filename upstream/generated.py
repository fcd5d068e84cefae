"""The flattened configurations in verl/trainer/config, which verl generates from the others."""

import json

from upstream.copies import Copy

# As scripts/generate_trainer_config.sh in verl's repository does, which the package does not have.
GENERATE = """
import json, sys
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

texts = {}
for name, override in json.loads(sys.argv[1]).items():
    with initialize_config_module("verl.trainer.config", version_base=None):
        text = OmegaConf.to_yaml(compose("ppo_trainer", [override] if override else []))
    texts[name] = text[text.index("actor_rollout_ref:"):]
print(json.dumps(texts))
"""
OVERRIDES = {
    "_generated_ppo_trainer.yaml": "",
    "_generated_ppo_megatron_trainer.yaml": "model_engine=megatron",
    "_generated_ppo_veomni_trainer.yaml": "model_engine=veomni",
    "_generated_ppo_torchtitan_trainer.yaml": "model_engine=torchtitan",
}


def outdated(copy: Copy) -> list[str]:
    """The generated files that do not follow from the others, apart from the comment at their top."""
    done = copy.run("-c", GENERATE, json.dumps(OVERRIDES))
    if done.returncode:
        return ["the configuration cannot be composed:", *done.stderr.splitlines()[-3:]]
    texts = json.loads(done.stdout.splitlines()[-1])
    folder = copy.root / "verl/trainer/config"
    return [
        f"{name}: not what scripts/generate_trainer_config.sh makes"
        for name, text in texts.items()
        if (folder / name).read_text().split("\n\n", 1)[1] != text
    ]
