"""A stand-in for verl's trainer. It has only what verl's own checkpoint code reads."""

import builtins
from types import SimpleNamespace
from typing import Any

import torch
from omegaconf import DictConfig
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.utils import create_rl_sampler
from verl.trainer.ppo.v1 import trainer_base
from verl.utils.dataset.rl_dataset import collate_fn

from benchmarks.interruptions.journal import BEFORE_MODEL, BETWEEN, DATA, MODEL, SAVED, TRACKER, TRAINING, Journal
from benchmarks.interruptions.ranks import RankGroup
from daro_verl.resume import TRACKER as TRACKER_FILE

NUM_ITEMS = 14
"""Length of an epoch in steps. Short, so that a job goes through several, in another order each time."""


class StandInTrainer:
    """Lives on rank 0. Saving, loading and fetching from the data loader are methods of verl's ``PPOTrainer``."""

    trainer_mode = "sync"
    use_critic = False
    _save_checkpoint = trainer_base.PPOTrainer._save_checkpoint
    _load_checkpoint = trainer_base.PPOTrainer._load_checkpoint
    _fetch_one_gen_batch = trainer_base.PPOTrainer._fetch_one_gen_batch

    def __init__(self, config: DictConfig, ranks: RankGroup, journal: Journal) -> None:
        self.config, self.ranks, self.journal = config, ranks, journal
        self.global_steps = 0
        self.actor_rollout_wg = SimpleNamespace(save_checkpoint=self._save_actor, load_checkpoint=ranks.load_checkpoint)
        self.checkpoint_callback = SimpleNamespace(on_save=lambda **kwargs: None)
        items = [{"raw_prompt": str(i), "item": torch.tensor(i)} for i in range(NUM_ITEMS)]
        self.train_dataloader_it = None
        self.train_dataloader = StatefulDataLoader(
            dataset=items,
            batch_size=1,
            num_workers=0,
            drop_last=True,
            collate_fn=collate_fn,
            sampler=create_rl_sampler(config.data, items),
        )
        trainer_base.open = self._open  # hides the builtin in verl's module

    def train_until(self, last_step: int, save_every: int) -> None:
        """The loop of verl's ``fit``, without rollout: train, note the state, save."""
        for step in range(self.global_steps + 1, last_step + 1):
            self.global_steps = step
            self.journal.enter(TRAINING, step)
            item = int(self._fetch_one_gen_batch()["item"])
            self.ranks.call("train", item)
            self.journal.note("trained", step, {"item": item, "ranks": self.ranks.call("state")})
            if step % save_every == 0 or step == last_step:
                self.journal.enter(BEFORE_MODEL, step)
                self._save_checkpoint()
                self.journal.enter(SAVED, step)

    def note_phases_of_the_engine(self, engine: Any) -> None:
        """Mark the time in which verl's engine writes: before it, and after it, DARO's worker writes its own file."""
        save_checkpoint = engine.save_checkpoint

        def marked(*args: Any, **kwargs: Any) -> None:
            self.journal.enter(MODEL, self.global_steps)
            save_checkpoint(*args, **kwargs)
            self.journal.enter(BETWEEN, self.global_steps)

        engine.save_checkpoint = marked

    def _save_actor(self, *args: Any, **kwargs: Any) -> None:
        self.ranks.save_checkpoint(*args, **kwargs)
        self.journal.enter(DATA, self.global_steps)

    def _open(self, path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """``open`` as verl's trainer sees it: marks the moment in which its tracker file is empty."""
        file = builtins.open(path, mode, *args, **kwargs)
        if str(path).endswith(TRACKER_FILE) and "w" in mode:
            self.journal.enter(TRACKER, self.global_steps)
        return file
