"""Who answers: a local causal language model through `transformers`, or anything alike."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from huggingface_hub import snapshot_download

from cliper.devices import available_device
from cliper.encoders.hub import Repository, parse_repository
from cliper.errors import InputError, first_line
from cliper.files import sha256_file

_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LEAST_ROOM = 32
"""Tokens that a prompt must have at least."""


class TextGenerator(Protocol):
    """Answers prompts.

    Attributes:
        name: what a person calls it.
        hash: hex SHA-256 over all that its answers depend on but the prompt and its neighbours.
    """

    name: str
    hash: str

    def generate(self, prompts: Sequence[str], most: int) -> list[str]:
        """An answer to each prompt, of at most `most` tokens."""
        ...


def load_generator(
    name: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    temperature: float = 0.0,
    seed: int = 0,
    allow_download: bool = False,
) -> "CausalModel":
    """A model by path or as `hf:ORG/NAME[@REVISION]`.

    Args:
        name: a folder in `transformers`' layout, or a repository of the hub.
        device: `cpu`, `cuda`, …, or `auto`.
        dtype: float32, bfloat16 or float16.
        temperature: 0 takes the likeliest token; above, tokens are drawn.
        seed: of what is drawn.
        allow_download: the hub may be asked for what is not in the local cache.

    Raises:
        InputError: no such model, or none that can be used.
    """
    if dtype not in _DTYPES:
        raise InputError(f"unknown dtype {dtype!r}", remedy=f"one of {', '.join(_DTYPES)}")
    folder = Path(name).expanduser()
    if name.startswith("hf:"):
        folder = _fetched(parse_repository(name.removeprefix("hf:")), allow_download)
    return CausalModel(
        folder, name, device=available_device(device), dtype=dtype, temperature=temperature,
        seed=seed,
    )  # fmt: skip


def _fetched(repository: Repository, allow_download: bool) -> Path:
    """The folder of a repository in the cache; fetched only if that was asked for."""
    try:
        found = snapshot_download(
            repository.name,
            revision=repository.revision,
            allow_patterns=list(_FILES),
            local_files_only=not allow_download,
        )
    except Exception as error:  # each version of the hub client has its own
        raise InputError(
            f"could not be downloaded: {first_line(error)}" if allow_download
            else "the model is not in the local cache, and downloading was not asked for",
            where=repository.address,
            remedy="fetch it into a folder and give that as --model"
            + ("" if allow_download else ", or add --download"),
        ) from error  # fmt: skip
    return Path(str(found))


class CausalModel:
    """A causal language model and its tokeniser, from a folder.

    Greedy unless a temperature is given; what `generation_config.json` says of sampling and beams
    does not count. A model that has a chat template is asked through it. A prompt that is longer
    than the model's context loses its beginning (the oldest items); `shortened` counts.

    Args:
        folder: in `transformers`' layout, weights in safetensors.
        name: what a person calls it.
        device, dtype: where and in what it computes.
        temperature, seed: see `load_generator`.

    Raises:
        InputError: there is no such folder, or no such model in it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not (folder / "config.json").is_file():
            raise InputError(
                "no language model here (no config.json)",
                where=str(folder),
                remedy="give a folder in transformers' layout, or hf:ORG/NAME",
            )
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, padding_side="left"
            )
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=_DTYPES[dtype]
            )
        except Exception as error:  # whatever is wrong with a file, transformers has its own
            raise InputError(
                f"cannot be used as a causal language model: {first_line(error)}",
                where=str(folder),
                remedy="it needs config.json, the tokeniser's files and model.safetensors",
            ) from error
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        said = model.generation_config
        config: Any = GenerationConfig
        model.generation_config = config(
            do_sample=temperature > 0,
            num_beams=1,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=said.eos_token_id or tokenizer.eos_token_id,
            bos_token_id=said.bos_token_id,
            **({"temperature": temperature, "top_k": 0} if temperature > 0 else {}),
        )
        self.name, self.seed, self.temperature = name, seed, temperature
        self.tokenizer, self.model, self.device = tokenizer, model.to(device).eval(), device
        self.hash = _hash(folder, dtype, temperature, seed)
        self.shortened = 0
        added = tokenizer.added_tokens_decoder.values()
        special = {*tokenizer.all_special_tokens, *(str(t) for t in added if t.special)}
        self._special = sorted(special - {""}, key=len, reverse=True)

    def generate(self, prompts: Sequence[str], most: int) -> list[str]:
        """The model's continuation of each prompt."""
        texts = [self._framed(self._fitted(prompt, most)) for prompt in prompts]
        chat = self.tokenizer.chat_template is not None
        inputs = self.tokenizer(
            texts, return_tensors="pt", padding=True, add_special_tokens=not chat
        ).to(self.device)
        with torch.inference_mode(), torch.random.fork_rng():
            if self.temperature > 0:  # each batch from its own seed, whichever run asks it
                told = hashlib.sha256(f"{self.seed}\0{texts}".encode("utf-8", "replace"))
                torch.manual_seed(int.from_bytes(told.digest()[:8]))
            tokens = self.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=most,
            )
        new = tokens[:, inputs["input_ids"].shape[1] :]
        answers: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return answers

    def _fitted(self, prompt: str, most: int) -> str:
        """The prompt without special tokens of the model, and as much of its end as has room."""
        for token in self._special:
            prompt = prompt.replace(token, " ")
        frame = len(self.tokenizer(self._framed("")).input_ids)
        room = self._context() - most - frame - 2
        if room < LEAST_ROOM:
            raise InputError(
                f"the model's context of {self._context()} tokens has no room for a prompt and "
                f"an answer of {most}",
                where=self.name,
                remedy="ask for shorter answers, or use another model",
            )
        ids = self.tokenizer(prompt, add_special_tokens=False).input_ids
        if len(ids) <= room:
            return prompt
        self.shortened += 1
        end: str = self.tokenizer.decode(ids[-room:])
        return end

    def _framed(self, prompt: str) -> str:
        """The prompt as the model's chat template puts it, if it has one."""
        if self.tokenizer.chat_template is None:
            return prompt
        said = [{"role": "user", "content": prompt}]
        framed: str = self.tokenizer.apply_chat_template(
            said, tokenize=False, add_generation_prompt=True
        )
        return framed

    def _context(self) -> int:
        config = self.model.config
        sizes = [
            getattr(config, name, None)
            for name in ("max_position_embeddings", "n_positions", "max_seq_len")
        ]
        known = [int(size) for size in sizes if size]
        return min([*known, int(self.tokenizer.model_max_length)])


def _hash(folder: Path, dtype: str, temperature: float, seed: int) -> str:
    """Over the files that decide, and how tokens are chosen."""
    digest = hashlib.sha256(dtype.encode())
    if temperature > 0:
        digest.update(f"{temperature} {seed}".encode())
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        digest.update(f"{path.name} {sha256_file(path)}".encode())
    return digest.hexdigest()
