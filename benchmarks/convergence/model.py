"""A causal transformer of some 30 thousand parameters: the toy under test.

Keys and values of a prompt are computed once and shared by its responses. Shapes: ``n`` rows, ``t`` new tokens, ``p``
earlier ones, ``h`` heads, ``d`` channels per head.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.convergence.task import EQUALS, MAX_RESPONSE_LENGTH, PAD, PROMPT_LENGTH, SYMBOLS, TOKENS, symbols_of

WIDTH, NUM_LAYERS, NUM_HEADS = 32, 2, 2
NUM_PARTS = 3  # into which the rows of a batch are divided by length
Past = list[tuple[torch.Tensor, torch.Tensor]]


class Layer(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_attention, self.norm_forward = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Query, key and value, each [n, h, t, d]."""
        n, t, _ = x.shape
        packed = self.query_key_value(self.norm_attention(x)).view(n, t, 3, NUM_HEADS, WIDTH // NUM_HEADS)
        return packed.permute(2, 0, 3, 1, 4).unbind(0)

    def finish(self, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Add attention's output [n, h, t, d] and the feed-forward part to ``x`` [n, t, width]."""
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.relu(self.up(self.norm_forward(x))))


class Decoder(nn.Module):
    """Logits of the next token, from token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(len(TOKENS), WIDTH)
        self.positions = nn.Embedding(PROMPT_LENGTH + MAX_RESPONSE_LENGTH, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(NUM_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(SYMBOLS), bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.15)

    def embed(self, tokens: torch.Tensor, position: int) -> torch.Tensor:
        """[n, t, width] for tokens [n, t] that stand at ``position`` and after."""
        return self.tokens(tokens) + self.positions.weight[position : position + tokens.shape[1]]

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(x))

    def prefix(self, prompts: torch.Tensor) -> Past:
        """Keys and values of all prompt tokens but the last, which begins the response's input."""
        x, past = self.embed(prompts[:, :-1], 0), []
        for layer in self.layers:
            query, key, value = layer.project(x)
            past.append((key, value))
            x = layer.finish(x, F.scaled_dot_product_attention(query, key, value, is_causal=True))
        return past

    def forward(self, past: Past, responses: torch.Tensor) -> torch.Tensor:
        """Logits of every response token.

        Args:
            past: each row's :meth:`prefix`.
            responses: [n, t]; entries after a response's end do not matter.

        Returns:
            [n, t, symbols]: entry ``i`` is the distribution that response token ``i`` was drawn from.
        """
        n, t = responses.shape
        inputs = torch.cat((torch.full((n, 1), EQUALS), responses[:, :-1]), dim=1)
        x, p = self.embed(inputs, PROMPT_LENGTH - 1), PROMPT_LENGTH - 1
        mask = torch.ones(t, p + t, dtype=torch.bool).tril(p)
        for layer, (past_key, past_value) in zip(self.layers, past, strict=True):
            query, key, value = layer.project(x)
            key, value = torch.cat((past_key, key), dim=2), torch.cat((past_value, value), dim=2)
            x = layer.finish(x, F.scaled_dot_product_attention(query, key, value, attn_mask=mask))
        return self.logits(x)


def response_log_probs(model: Decoder, prompts: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    """Log-probability of every response token.

    Rows of about the same length are computed together, each part only as wide as its longest row.

    Args:
        prompts: [n, P].
        responses: [n * G, R], the ``G`` responses of a prompt next to each other, ``PAD`` after the end.

    Returns:
        [n * G, R], with gradient; 0 after the end.
    """
    if len(responses) == 0:
        return torch.zeros(responses.shape)
    lengths = (responses != PAD).sum(dim=1)
    past, parts = model.prefix(prompts), []
    order = lengths.argsort(stable=True)
    for rows in order.chunk(NUM_PARTS):
        part = responses[rows, : int(lengths[rows[-1]])]
        prompt_of = rows // (len(responses) // len(prompts))
        logits = model(
            [(key.index_select(0, prompt_of), value.index_select(0, prompt_of)) for key, value in past], part
        )
        log_prob = logits.gather(2, symbols_of(part).unsqueeze(-1)).squeeze(-1) - logits.logsumexp(dim=-1)
        log_prob = torch.where(part != PAD, log_prob, 0.0)
        parts.append(F.pad(log_prob, (0, responses.shape[1] - part.shape[1])))
    return torch.cat(parts)[order.argsort()]
