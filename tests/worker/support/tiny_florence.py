# mypy: disallow-untyped-calls=False
"""A Florence-2 with small random weights, saved as published ones are: it says words, and none that mean anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import random_sdxl
import torch

WORDS = (
    f"{random_sdxl.WORDS} What does the image describe Describe in detail with paragraph what is shown image on grass"
)
SIDE = 64
"""Of the pictures that it looks at: four strides of 4, 2, 2, 2 leave two by two places."""
PLACES = (SIDE // 32) ** 2 + 1
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>")


def write_tokenizer(folder: Path) -> Any:
    """BART's format: the space belongs to the word behind it, which is one token where it is known."""
    from transformers import BartTokenizer

    symbols = random_sdxl.byte_symbols()
    vocabulary = dict.fromkeys([*SPECIALS[:4], *symbols])
    merges: dict[tuple[str, str], None] = {}
    for word in dict.fromkeys(WORDS.split()):
        parts = ["Ġ", *word]
        while len(parts) > 1:
            merges[(parts[0], parts[1])] = None
            parts = [parts[0] + parts[1], *parts[2:]]
            vocabulary[parts[0]] = None
    tokens = [*vocabulary, *SPECIALS[4:]]
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return BartTokenizer.from_pretrained(folder, extra_special_tokens={"image_token": "<image>"}, local_files_only=True)


def processor(scratch: Path) -> Any:
    from transformers import CLIPImageProcessor, Florence2Processor

    pictures = CLIPImageProcessor(
        size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_center_crop=False
    )
    pictures.image_seq_length = PLACES
    return Florence2Processor(image_processor=pictures, tokenizer=write_tokenizer(scratch))


def model(tokenizer: Any, *, seed: int = 0) -> Any:
    from transformers import BartConfig, Florence2Config, Florence2ForConditionalGeneration
    from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig

    torch.manual_seed(seed)
    vision = Florence2VisionConfig(
        depths=(1, 1, 1, 1),
        embed_dim=(16, 16, 32, 32),
        num_heads=(2, 2, 4, 4),
        num_groups=(2, 2, 4, 4),
        window_size=4,
        projection_dim=32,
        max_temporal_embeddings=10,
        max_position_embeddings=10,
        drop_path_rate=0.0,
    )
    text = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_bos_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=tokenizer.eos_token_id,
        init_std=0.4,
        dropout=0.0,
    )
    config = Florence2Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_id=tokenizer.image_token_id
    )
    made = Florence2ForConditionalGeneration(config).eval()
    # As published ones say it; and whole words only, so that what it says can be read.
    words = {number for token, number in tokenizer.get_vocab().items() if token.startswith("Ġ") and len(token) > 2}
    kept = words | {tokenizer.bos_token_id, tokenizer.eos_token_id}
    made.generation_config.update(
        num_beams=3,
        no_repeat_ngram_size=3,
        early_stopping=True,
        suppress_tokens=[number for number in range(len(tokenizer)) if number not in kept],
    )
    return made


def make(folder: Path, scratch: Path) -> None:
    made = processor(scratch)
    model(made.tokenizer).save_pretrained(folder, safe_serialization=True)
    made.save_pretrained(folder)
