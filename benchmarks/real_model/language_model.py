"""A Hugging Face causal language model that samples responses and gives their log-probabilities, in batches.

Keys and values of a prompt are computed once and shared by its responses, in sampling and in training. Prompts are
padded on the left, responses on the right. Shapes: ``n`` prompts, ``G`` responses to each, ``R`` the longest response.
"""

from contextlib import AbstractContextManager
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

PAD = -1
NUM_PARTS = 3  # into which the rows of a micro-batch are divided by length
KEEP_ROWS_ABOVE = 0.8  # share of rows still running below which the ended ones are dropped


class LanguageModel:
    """A model with its tokenizer.

    Parameters and the output layer are in float32; with ``dtype`` bfloat16 the layers in between compute in bfloat16.
    """

    def __init__(self, directory: str | Path, device: str = "cpu", dtype: str = "float32") -> None:
        """Read a Hugging Face directory with a chat template."""
        self.device, self.dtype = torch.device(device), getattr(torch, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.module = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).to(self.device).eval()
        self.end = self.tokenizer.eos_token_id

    def encode(self, questions: list[str]) -> torch.Tensor:
        """[n, P] token ids of the chat up to the response, ``PAD`` on the left."""
        rows = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
            )
            for question in questions
        ]
        width = max(map(len, rows))
        return torch.tensor([[PAD] * (width - len(row)) + row for row in rows])

    def decode(self, response: torch.Tensor) -> str:
        """The text of one response [R], without special tokens."""
        return self.tokenizer.decode(response[response != PAD].tolist(), skip_special_tokens=True)

    @torch.no_grad()
    def sample(self, prompts: torch.Tensor, uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw responses at temperature 1, by inverting the distribution function.

        Args:
            prompts: [n, P].
            uniform: [n, G, R] in [0, 1), one number for each token: two models see the same noise, on any device.

        Returns:
            responses [n, G, R] int64 with ``PAD`` after the end, and their log-probabilities [n, G, R], 0 there.
        """
        uniform = uniform.to(self.device)
        group, longest = uniform.shape[1:]
        running = self._prefix(prompts).pick(torch.arange(len(prompts)).repeat_interleave(group))
        rows, noise = torch.arange(len(prompts) * group, device=self.device), uniform.flatten(0, 1)
        responses = torch.full(noise.shape, PAD, device=self.device)
        log_probs = torch.zeros(noise.shape, device=self.device)
        alive = torch.ones_like(rows, dtype=torch.bool)
        for position in range(longest):
            log_prob = self._logits(running.hidden).log_softmax(dim=-1)
            cumulative = log_prob.exp().cumsum(dim=-1)
            point = noise[rows, position, None] * cumulative[:, -1:]
            tokens = torch.searchsorted(cumulative, point, right=True).clamp(max=cumulative.shape[1] - 1)
            chosen = log_prob.gather(1, tokens).squeeze(1)
            tokens = tokens.squeeze(1)
            responses[rows, position] = torch.where(alive, tokens, PAD)
            log_probs[rows, position] = torch.where(alive, chosen, 0.0)
            alive = alive & (tokens != self.end)
            num_alive = int(alive.sum())
            if num_alive == 0 or position == longest - 1:
                break
            if num_alive < KEEP_ROWS_ABOVE * len(rows):
                kept = alive.nonzero().squeeze(1)
                running, rows, tokens, alive = running.pick(kept), rows[kept], tokens[kept], alive[kept]
            hidden = self._forward(running, tokens.unsqueeze(1), torch.ones_like(tokens.unsqueeze(1)))
            running.hidden = hidden.squeeze(1)
        return responses.view(uniform.shape).cpu(), log_probs.view(uniform.shape).cpu()

    def log_probs(self, prompts: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
        """Log-probability of every response token, with gradient; 0 after the end.

        Rows of about the same length are computed together, each part only as wide as its longest row.

        Args:
            prompts: [n, P].
            responses: [n, G, R].

        Returns:
            [n, G, R], on the CPU.
        """
        flat = responses.flatten(0, 1).to(self.device)
        lengths = (flat != PAD).sum(dim=1)
        order, all_rows, parts = lengths.argsort(stable=True), self._prefix(prompts), []
        for chunk in order.chunk(NUM_PARTS):
            part = flat[chunk, : int(lengths[chunk].max())]
            log_prob = self._log_probs_of(all_rows.pick(chunk // responses.shape[1]), part)
            parts.append(F.pad(log_prob, (0, responses.shape[2] - part.shape[1])))
        return torch.cat(parts)[order.argsort()].view(responses.shape).cpu()

    def _log_probs_of(self, rows: "_Rows", responses: torch.Tensor) -> torch.Tensor:
        """[m, t] for responses [m, t] to the prompts of ``rows``."""
        present = responses != PAD
        hidden = rows.hidden.unsqueeze(1)
        if responses.shape[1] > 1:
            later = self._forward(rows, responses[:, :-1].clamp(min=0), present[:, :-1].long())
            hidden = torch.cat((hidden, later), dim=1)
        logits = self._logits(hidden[present])  # padding never meets the output layer
        chosen = logits.gather(1, responses[present].unsqueeze(1)).squeeze(1) - logits.logsumexp(dim=1)
        return torch.zeros(responses.shape, device=self.device).masked_scatter(present, chosen)

    def _prefix(self, prompts: torch.Tensor) -> "_Rows":
        """The prompts, one a row."""
        prompts = prompts.to(self.device)
        rows = _Rows(DynamicCache(), torch.zeros_like(prompts[:, :0]), torch.empty(0))
        rows.hidden = self._forward(rows, prompts.clamp(min=0), (prompts != PAD).long())[:, -1]
        return rows

    def _forward(self, rows: "_Rows", tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Hidden states [m, t, width] of further tokens [m, t]; they join the rows."""
        position = rows.mask.sum(dim=1, keepdim=True) + mask.cumsum(dim=1) - 1
        rows.mask = torch.cat((rows.mask, mask), dim=1)
        with self._compute():
            out = self.module.model(
                input_ids=tokens,
                attention_mask=rows.mask,
                position_ids=position.clamp(min=0),
                past_key_values=rows.cache,
                use_cache=True,
            )
        return out.last_hidden_state

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.module.lm_head(hidden.float())

    def _compute(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


class _Rows:
    """Texts so far, one a row: their keys and values, which places are real, and the last token's hidden state."""

    def __init__(self, cache: DynamicCache, mask: torch.Tensor, hidden: torch.Tensor) -> None:
        self.cache, self.mask, self.hidden = cache, mask, hidden

    def pick(self, rows: torch.Tensor) -> "_Rows":
        """Copies of some rows; one may be picked several times."""
        cache = DynamicCache()
        for number, layer in enumerate(self.cache.layers):
            cache.update(layer.keys[rows], layer.values[rows], number)
        return _Rows(cache, self.mask[rows], self.hidden[rows])
