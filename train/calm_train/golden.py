"""`python -m calm_train.golden --config ...`: records what PyTorch computes, for the server to be compared with.

Everything in fp32. All tensors agree in B rows and S chunks:
  input_ids [B, S*K]; hidden [B, S, h]; noise [B, S, ...] as the head draws it; latent [B, S, latent];
  logits [B, S, K, V]; tokens [B, S, K]; ae_mean, ae_log_std [B, S, latent] of the input;
energy head only:
  rollout_prompt [1, 3K], rollout_noise [1, steps, noise], rollout_tokens [1, steps*K]: one draw a step at T = 1.
A run that holds a token baseline and no CALM gives input_ids [B, S] and logits [B, S, V].
"""

from functools import partial

import torch
from safetensors.torch import save_file
from torch import Tensor

from calm_train.checkpoint import WEIGHTS, load_calm, load_llama
from calm_train.config import Config, parse_command_line
from calm_train.data import Special, held_out_documents
from calm_train.files import replace_file
from calm_train.memory import told_out_of_memory
from calm_train.models.calm import Calm
from calm_train.models.llama import Llama
from calm_train.vocabulary import Vocabulary

ROWS, MAX_CHUNKS, ROLLOUT_STEPS = 2, 12, 6
LOGIT_BYTES = 1_200_000
# The two best logits must differ by this much wherever a token is compared, so that rounding cannot decide.
MARGIN = 2e-3


@torch.no_grad()
def record(model: Calm, chunks: Tensor, special: Special) -> dict[str, Tensor]:
    """chunks [B, S, K] of real text -> the golden tensors."""
    hidden = model.hidden(chunks)
    mean, log_std = model.ae_model.encode(chunks)
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        noise = model.head.draw_noise(*chunks.shape[:2], generator=generator)
        latent = model.latents(hidden, noise[None])[0]
        logits = model.ae_model.decode(latent)
        rollout = record_rollout(model, chunks[:1, :3], special.eos, generator)
        if margin(logits) > MARGIN and rollout is not None:
            return rollout | {
                "input_ids": chunks.flatten(1),
                "hidden": hidden,
                "noise": noise,
                "latent": latent,
                "logits": logits,
                "tokens": logits.argmax(-1),
                "ae_mean": mean,
                "ae_log_std": log_std,
            }
    raise SystemExit("no noise leaves every argmax a clear margin; is the autoencoder trained?")


def record_rollout(model: Calm, prompt: Tensor, eos: int, generator: torch.Generator) -> dict[str, Tensor] | None:
    """None when the draw is of no use for a comparison; empty for heads whose roll-outs are not compared."""
    if model.shape.head.kind != "energy":
        return {}
    noise = model.head.draw_noise(1, ROLLOUT_STEPS, generator=generator)
    tokens = roll_out(model, prompt, noise, eos)
    if tokens is None:
        return None
    return {"rollout_prompt": prompt.flatten(1), "rollout_noise": noise, "rollout_tokens": tokens.flatten(1)}


def roll_out(model: Calm, prompt: Tensor, noise: Tensor, eos: int) -> Tensor | None:
    """prompt [1, P, K], noise [1, steps, noise] -> [1, steps, K]; None when it ends early or a margin is thin."""
    context = prompt
    for step in range(noise.shape[1]):
        latent = model.latents(model.hidden(context)[:, -1], noise[None, :, step])[0]
        logits = model.ae_model.decode(latent)
        tokens = logits.argmax(-1)
        if margin(logits) <= MARGIN or (tokens == eos).any():
            return None
        context = torch.cat([context, tokens[:, None]], dim=1)
    return context[:, prompt.shape[1] :]


def margin(logits: Tensor) -> float:
    best = logits.topk(2, dim=-1).values
    return float((best[..., 0] - best[..., 1]).min())


@torch.no_grad()
def record_tokens(model: Llama, tokens: Tensor) -> dict[str, Tensor]:
    """tokens [B, S, 1] of real text -> the golden tensors of a token model."""
    return {"input_ids": tokens[..., 0], "logits": model.logits(model.hidden(tokens))}


def held_out_chunks(config: Config, special: Special, vocabulary: Vocabulary) -> Tensor:
    """The beginnings of the first documents [ROWS, S, K], few enough chunks for their logits to stay small."""
    length = min(MAX_CHUNKS, LOGIT_BYTES // (4 * ROWS * special.patch_size * vocabulary.size))
    shard = config.run / "shards" / config.data.scored
    documents = held_out_documents(shard, special, length, ROWS)
    return torch.stack([torch.from_numpy(document) for document in documents])


@told_out_of_memory()
def main() -> None:
    config = parse_command_line("calm")
    torch.set_num_threads(config.calm.threads)
    has_calm = (config.run / "checkpoint" / WEIGHTS).exists()
    folder = config.run / ("checkpoint" if has_calm else "baseline")
    vocabulary = Vocabulary.load(folder)
    special = Special.of(vocabulary, config.patch_size if has_calm else 1)
    chunks = held_out_chunks(config, special, vocabulary)
    if has_calm:
        tensors = record(load_calm(folder, config.run / "autoencoder"), chunks, special)
    else:
        tensors = record_tokens(load_llama(folder), chunks)
    values, path = {name: value.clone() for name, value in tensors.items()}, config.run / "golden.safetensors"
    replace_file(path, partial(save_file, values))
    print(f"golden tensors of {chunks.shape[1]} chunks in {path}")


if __name__ == "__main__":
    main()
