"""`python -m calm_train.autoencoder --config ...`: trains the autoencoder on chunks of text (paper 2)."""

import torch
from torch import Tensor

from calm_train.checkpoint import COMMON, official_tensors, special_ids, write_folder
from calm_train.config import Config, parse_command_line
from calm_train.data import Mixture, Special, held_out_documents
from calm_train.flops import autoencoder_training_flops
from calm_train.loop import Hooks, Loop
from calm_train.models.autoencoder import Autoencoder, AutoencoderShape, autoencoder_loss
from calm_train.precision import mixed_precision
from calm_train.reconstruction import exactness, random_chunks
from calm_train.sections import AutoencoderSection
from calm_train.vocabulary import Vocabulary

HELD_OUT_DOCUMENTS = 300


def shape_of(section: AutoencoderSection, vocab_size: int, patch_size: int) -> AutoencoderShape:
    names = set(AutoencoderShape.__dataclass_fields__) - {"vocab_size", "patch_size"}
    return AutoencoderShape(vocab_size, patch_size, **{name: getattr(section, name) for name in sorted(names)})


def held_out_chunks(config: Config, special: Special) -> dict[str, Tensor]:
    shards = {name: config.run / "shards" / name for name in config.data.held_out}
    documents = {name: held_out_documents(path, special, 2048, HELD_OUT_DOCUMENTS) for name, path in shards.items()}
    return {name: torch.cat([torch.from_numpy(d) for d in group]) for name, group in documents.items()}


def main() -> None:
    config = parse_command_line("autoencoder")
    section = config.autoencoder
    torch.set_num_threads(section.threads)
    torch.manual_seed(section.seed)
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    special = Special.of(vocabulary, config.patch_size)
    model = Autoencoder(shape_of(section, vocabulary.size, config.patch_size)).to(section.device)
    mixture = Mixture(config.run / "shards", set(config.data.mix), special, section.seed)
    held_out = held_out_chunks(config, special)
    held_out["random"] = random_chunks(4096, config.patch_size, vocabulary.pad)

    def loss_on(tokens: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return autoencoder_loss(model, tokens, vocabulary.pad, section.ae_dropout, section.kl_clamp, section.kl_weight)

    fast_loss = mixed_precision(loss_on, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        chunks, _ = mixture.rows(section.rows, section.row_chunks, config.data.mix)
        tokens = torch.from_numpy(chunks).flatten(0, 1)
        # Random strings keep the autoencoder honest where the energy head has not learned yet what text is.
        num_random = int(section.random_share * len(tokens))
        tokens[:num_random] = torch.randint(vocabulary.pad, (num_random, config.patch_size))
        return fast_loss(tokens.to(section.device))

    def evaluate() -> dict[str, float]:
        exact = {f"exact_noisy/{name}": exactness(model, chunks, noisy=True) for name, chunks in held_out.items()}
        return exact | {f"exact/{name}": exactness(model, chunks, noisy=False) for name, chunks in held_out.items()}

    def export(facts: dict) -> None:
        settings = {
            "kl_weight": section.kl_weight,
            "kl_clamp": section.kl_clamp,
            "ae_dropout": section.ae_dropout,
        }
        layout = {
            "architectures": ["Autoencoder"],
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
            "training_flops": autoencoder_training_flops(model.shape, facts["tokens"] // config.patch_size),
            "training": facts,
        }
        shape = {name: getattr(model.shape, name) for name in AutoencoderShape.__dataclass_fields__}
        written = COMMON | special_ids(vocabulary) | shape | settings | layout
        write_folder(config.run / "autoencoder", written, official_tensors(model), config.run / "tokenizer")

    tokens_per_step = section.rows * section.row_chunks * config.patch_size
    folder = config.run / "training" / "autoencoder"
    hooks = Hooks(loss, evaluate, export, mixture.reseed)
    facts = Loop(model, section, folder, hooks, tokens_per_step).run()
    print(f"autoencoder in {config.run / 'autoencoder'}: {facts['steps']} steps, {facts['tokens']:,} tokens")


if __name__ == "__main__":
    main()
