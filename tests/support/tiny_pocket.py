"""A Pocket TTS model with small random weights, which the real library loads and streams from without a network.

It babbles, but through the real code and in the real shapes. Building it takes torch, so that happens in a process of its own:
`python tests/support/tiny_pocket.py FOLDER`. With the name of a configuration that the package brings behind it, the model gets
that one's size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FRAME_S = 0.08
BRISK_S = 8 * FRAME_S
"""How long everything is that the brisk model says in up to 50 words and marks."""
_WORDS = ("the", "a", "to", "you", "i", "hello", "yes", "no", "are", "is", "we", "open", "at", "nine", "thank", "and")
_MARKS = (".", "!", "?", "...", ",", ";", ":", "'", "-")

_SEANET: dict[str, Any] = {
    "dimension": 32,
    "channels": 1,
    "n_filters": 4,
    "n_residual_layers": 1,
    "ratios": [6, 5, 4],
    "kernel_size": 7,
    "residual_kernel_size": 3,
    "last_kernel_size": 3,
    "dilation_base": 2,
    "pad_mode": "constant",
    "compress": 2,
}
_CONFIG: dict[str, Any] = {
    "flow_lm": {
        "dtype": "float32",
        "insert_bos_before_voice": True,
        "flow": {"depth": 2, "dim": 32},
        "transformer": {"d_model": 32, "hidden_scale": 2, "max_period": 10_000, "num_heads": 2, "num_layers": 2},
        "lookup_table": {"dim": 32, "n_bins": 64},
    },
    "mimi": {
        "dtype": "float32",
        "sample_rate": 24_000,
        "inner_dim": 8,
        "outer_dim": 32,
        "channels": 1,
        "frame_rate": 1 / FRAME_S,
        "seanet": _SEANET,
        "transformer": {
            "d_model": 32,
            "num_heads": 2,
            "num_layers": 1,
            "layer_scale": 0.01,
            "context": 50,
            "dim_feedforward": 64,
            "input_dimension": 32,
            "output_dimensions": [32],
        },
        "quantizer": {"dimension": 8, "output_dimension": 32},
    },
}


@dataclass(frozen=True)
class TinyPocket:
    """The files of a built model.

    wordy: a configuration that takes a third of a second for every word and mark, and two seconds on top.
    brisk: one that says everything in `BRISK_S`.
    voice: a WAV file that either takes as a voice.
    state: the same voice as the model keeps it, a .safetensors file.
    """

    wordy: Path
    brisk: Path
    voice: Path
    state: Path


def build_tiny_pocket(folder: Path, size_of: str | None = None) -> TinyPocket:
    """Build the model's files in `folder`, tiny, or as large as the configuration named `size_of`."""
    arguments = [str(folder)] if size_of is None else [str(folder), size_of]
    subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True)
    return TinyPocket(folder / "wordy.yaml", folder / "brisk.yaml", folder / "voice.wav", folder / "voice.safetensors")


def _write_tokenizer(path: Path, size: int) -> None:
    """Write a tokenizer with a vocabulary of `size`, to which a word is one token."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = (*_MARKS, *_WORDS, "hm")
    vocabulary = {word: number for number, word in enumerate((*words, *(f"word{n}" for n in range(size - len(words)))))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="hm"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def _write_config(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def _write_voice(path: Path) -> None:
    import numpy as np

    from voip_engine.audio import SAMPLE_RATE_HZ
    from voip_engine.demo.speech import load_speech

    samples = np.round(load_speech("ben_saturday")[: 2 * SAMPLE_RATE_HZ] * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.tobytes())


def _make_audible(weights: dict[str, Any]) -> None:
    """Let it babble within a telephone's band at about -25 dBFS; else it would hum at 2.4 kHz and above."""
    for name, tensor in weights.items():
        if name.startswith("mimi.decoder.") and name.endswith("bias"):
            tensor.zero_()
    weights["flow_lm.emb_std"] *= 10
    last = weights["mimi.decoder.model.11.conv.weight"]
    last[:] = last.mean(-1, keepdim=True) * last.new_tensor([8.0, 16.0, 8.0])


def _config_of(name: str | None) -> dict[str, Any]:
    """A configuration without any files."""
    import yaml
    from pocket_tts.utils.config import CONFIGS_DIR

    if name is None:
        return deepcopy(_CONFIG)
    config: dict[str, Any] = yaml.safe_load((CONFIGS_DIR / f"{name}.yaml").read_text(encoding="utf-8"))
    return {key: value for key, value in config.items() if not key.startswith("weights_path")}


def _build(folder: Path, size_of: str | None) -> None:
    import torch
    from pocket_tts import TTSModel, export_model_state
    from safetensors.torch import save_file

    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    config = _config_of(size_of)
    table = config["flow_lm"]["lookup_table"]
    _write_tokenizer(folder / "tokenizer.json", table["n_bins"])
    table |= {"tokenizer": "tokenizers", "tokenizer_path": str(folder / "tokenizer.json")}
    # Without weights the library starts from random ones, which are saved as if they had been trained.
    model = TTSModel.load_model(config=_write_config(folder / "random.yaml", config))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.nn.init.normal_(weights["flow_lm.speaker_proj_weight"], std=0.1)
    _make_audible(weights)
    save_file(weights, folder / "weights.safetensors")

    config["weights_path"] = str(folder / "weights.safetensors")
    # A logit of the end that counts from here on: no frame reaches the one, every frame the other.
    _write_config(folder / "wordy.yaml", config | {"default_eos_threshold": 1e9})
    _write_config(
        folder / "brisk.yaml", config | {"default_eos_threshold": -1e9, "model_recommended_frames_after_eos": 2}
    )
    _write_voice(folder / "voice.wav")
    model = TTSModel.load_model(config=folder / "brisk.yaml")
    export_model_state(model.get_state_for_audio_prompt(folder / "voice.wav"), folder / "voice.safetensors")


if __name__ == "__main__":
    _build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
