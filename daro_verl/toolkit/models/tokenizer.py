"""Check a model's tokenizer: its chat template must render, and the model must have its tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daro_verl.errors import problem

_FIX = "prepare the model with `daro models prepare`, or use the tokenizer of its instruct version"
SYSTEM, USER, ASSISTANT = "Reason.", "How much is 1+1?", "It is 2."


@dataclass(frozen=True)
class TokenizerCheck:
    """``errors``: a job would fail, or train on the wrong text. ``remarks``: worth knowing."""

    errors: list[str]
    remarks: list[str]


def check_tokenizer(directory: Path, vocab_size: int | None, eos_ids: frozenset[int] = frozenset()) -> TokenizerCheck:
    """Load the tokenizer, render a question with it, and return errors and remarks.

    Args:
        directory: the model's directory.
        vocab_size: rows of the model's embedding.
        eos_ids: tokens at which generation stops, besides the tokenizer's own.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(directory)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        got = f"{type(error).__name__}: {error}"[:200]
        return TokenizerCheck([problem("tokenizer", got, "a tokenizer that loads", "download it again")], [])
    errors = []
    if vocab_size is not None and len(tokenizer) > vocab_size:
        fix = "use the tokenizer that belongs to the model"
        errors.append(problem("tokenizer", f"{len(tokenizer)} tokens", f"at most {vocab_size}", fix))
    spelled = str(tokenizer.decode(tokenizer.encode(USER, add_special_tokens=False)))
    if spelled.strip() != USER:  # transformers makes an empty tokenizer where tokenizer.json is missing
        expected = f"one that spells a prompt: {USER!r}"
        errors.append(problem("tokenizer", spelled, expected, "download the model again"))
    if tokenizer.eos_token_id is None:
        errors.append(problem("tokenizer", "no eos_token", "a token that ends a response", _FIX))
    errors += _template_errors(tokenizer, eos_ids)
    return TokenizerCheck(errors, [] if errors else _remarks(tokenizer, vocab_size, eos_ids))


def _template_errors(tokenizer: Any, eos_ids: frozenset[int]) -> list[str]:
    if not tokenizer.chat_template:
        return [problem("tokenizer", "no chat template", "one, because verl renders every prompt with it", _FIX)]
    try:
        with_system = render(tokenizer, ("system", SYSTEM), ("user", USER), generation=True)
        plain = render(tokenizer, ("user", USER), generation=True)
    except Exception as error:  # a template may raise anything
        got = f"{type(error).__name__}: {error}"[:200]
        return [problem("chat template", got, "one that renders a system and a user message", _FIX)]
    errors = []
    if USER not in plain or SYSTEM not in with_system or USER not in with_system:
        errors.append(problem("chat template", with_system, "the messages in the prompt", _FIX))
    bos = tokenizer.bos_token
    if bos and bos * 2 in plain:  # one start token is right: ChatML begins every turn with it
        errors.append(problem("chat template", f"{bos * 2} in a prompt", "one start token", _FIX))
    if not errors and _opens_a_turn(tokenizer, plain, eos_ids):
        expected = f"the token that ends a turn of its chat template, {_turn_end(tokenizer)}"
        errors.append(problem("tokenizer: eos_token", tokenizer.eos_token, expected, _FIX))
    return errors


def _opens_a_turn(tokenizer: Any, prompt: str, eos_ids: frozenset[int]) -> bool:
    """Whether the template writes the end token before an answer, and another token ends the answer."""
    end, before_answer = _turn_end(tokenizer), prompt.partition(USER)[2]
    if end is None or tokenizer.convert_tokens_to_ids(end) in eos_ids | {tokenizer.eos_token_id}:
        return False
    return bool(tokenizer.eos_token) and tokenizer.eos_token in before_answer


def _turn_end(tokenizer: Any) -> str | None:
    """The special token that the chat template writes after an answer; None if it writes another text."""
    closed = render(tokenizer, ("user", USER), ("assistant", ASSISTANT), generation=False)
    after = tokenizer.encode(closed.partition(ASSISTANT)[2], add_special_tokens=False)
    is_special = after and after[0] in tokenizer.all_special_ids
    return str(tokenizer.convert_ids_to_tokens(after[0])) if is_special else None


def _remarks(tokenizer: Any, vocab_size: int | None, eos_ids: frozenset[int]) -> list[str]:
    remarks = []
    if vocab_size is not None and len(tokenizer) < vocab_size:
        remarks.append(f"{vocab_size - len(tokenizer)} rows of the embedding have no token")
    plain = render(tokenizer, ("user", USER), generation=True)
    before = plain[: plain.index(USER)].removeprefix(tokenizer.bos_token or "").strip()
    if len(before) > 60:
        remarks.append(f"without a system message the chat template writes its own: {before[:160]!r}")
    stops, end = eos_ids | {tokenizer.eos_token_id}, _turn_end(tokenizer)
    if end is not None and tokenizer.convert_tokens_to_ids(end) not in stops:
        names = ", ".join(tokenizer.convert_ids_to_tokens(sorted(stops)))
        remarks.append(f"the chat template ends a response with {end}, but generation stops at {names}")
    return remarks


def render(tokenizer: Any, *messages: tuple[str, str], generation: bool) -> str:
    """The text of a conversation, as verl renders it."""
    conversation = [{"role": role, "content": content} for role, content in messages]
    text: str = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=generation)
    return text
