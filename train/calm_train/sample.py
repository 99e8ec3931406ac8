"""`python -m calm_train.sample --config ... [--prompt "Once upon a time"]`: a few stories to judge a run by."""

import numpy as np
import torch

from calm_train.checkpoint import load_calm
from calm_train.config import Config, parse_command_line
from calm_train.data import Special
from calm_train.memory import told_out_of_memory
from calm_train.models.calm import Calm
from calm_train.pool import generate
from calm_train.vocabulary import Vocabulary


def aligned_prompt(text: str, vocabulary: Vocabulary, special: Special) -> np.ndarray:
    """As many BOS in front (at least one) as make the prompt end on a chunk border: [chunks, K]."""
    tokens = vocabulary.encode(text)
    num_bos = -len(tokens) % special.patch_size or special.patch_size
    return np.asarray([special.bos] * num_bos + tokens).reshape(-1, special.patch_size)


def stories(config: Config, model: Calm, vocabulary: Vocabulary) -> list[str]:
    section = config.sample
    if not section.stories:
        return []
    special = Special.of(vocabulary, config.patch_size)
    prompt = aligned_prompt(section.prompt, vocabulary, special)
    torch.manual_seed(section.seed)
    texts = generate(
        model,
        [prompt] * section.stories,
        special.eos,
        n=round(1 / section.temperature),
        num_candidates=section.num_candidates,
        max_chunks=section.max_tokens // config.patch_size,
        rng=np.random.default_rng(section.seed),
    )
    return [section.prompt + vocabulary.decode(tokens) for tokens in texts]


@told_out_of_memory()
def main() -> None:
    config = parse_command_line("sample")
    torch.set_num_threads(config.calm.threads)
    vocabulary = Vocabulary.load(config.run / "checkpoint")
    model = load_calm(config.run / "checkpoint", config.run / "autoencoder")
    for text in stories(config, model, vocabulary):
        print(text, end="\n\n---\n\n")


if __name__ == "__main__":
    main()
