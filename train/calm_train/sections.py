"""The sections of a configuration file, with their defaults."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TokenizerSection:
    vocab_size: int = 4096
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DataSection:
    """`sources` maps a name to its files, `written` names the source that `calm_train.distill` makes; `mix` and
    `final_mix` map names to their share of the rows."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    written: str = ""
    mix: dict[str, float] = field(default_factory=dict)
    final_mix: dict[str, float] = field(default_factory=dict)
    final_fraction: float = 0.25
    held_out: list[str] = field(default_factory=list)

    @property
    def scored(self) -> str:
        """The held-out source that BrierLM is measured on."""
        if not self.held_out:
            raise SystemExit("[data] held_out = []: it must name a source whose text is scored and not trained on")
        return self.held_out[0]

    def mix_at(self, progress: float) -> dict[str, float]:
        """The last part of the training may see a mix of its own: what the model should sound like."""
        final = progress >= 1 - self.final_fraction
        return self.final_mix if final and self.final_mix else self.mix


@dataclass(frozen=True)
class OptimSection:
    """What every training loop shares. Times are wall clock; the schedule is planned from measured steps, unless
    `steps` or `flops` fixes their number. `block_tokens`, where given, sets `row_chunks` to that many tokens a row.
    `start_from` names the folder of a finished run of the same shape, but for a head with fewer blocks: its
    averaged weights and, where nothing was added, its optimizer's moments begin this one, and what it spent counts."""

    learning_rate: float = 1e-3
    final_ratio: float = 0.02
    # linear or cosine, after the warm-up and the constant part.
    decay: str = "linear"
    warmup_steps: int = 200
    constant_fraction: float = 0.4
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    ema: float = 0.998
    steps: int = 0
    # Training FLOPs in all, what went into the autoencoder included.
    flops: float = 0.0
    minutes: float = 10.0
    deadline: str = ""
    rows: int = 4
    row_chunks: int = 128
    block_tokens: int = 0
    device: str = "cpu"
    threads: int = 1
    seed: int = 1
    start_from: str = ""
    compile: bool = True
    # bfloat16, float32, or auto: bfloat16 where the device is faster at it.
    precision: str = "auto"
    log_steps: int = 100
    # By the clock, unless `evaluate_steps` says how many steps lie between two evaluations.
    evaluate_minutes: float = 5.0
    evaluate_steps: int = 0
    checkpoint_minutes: float = 10.0


@dataclass(frozen=True)
class AutoencoderSection(OptimSection):
    hidden_size: int = 128
    intermediate_size: int = 384
    latent_size: int = 32
    num_encoder_layers: int = 2
    num_decoder_layers: int = 2
    kl_weight: float = 6e-3
    kl_clamp: float = 0.5
    ae_dropout: float = 0.15
    random_share: float = 0.1


@dataclass(frozen=True)
class BackboneSection(OptimSection):
    """`num_key_value_heads`: 0 means as many as there are query heads."""

    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 0
    max_position_embeddings: int = 512
    dropout: float = 0.05
    max_tokens: int = 512


@dataclass(frozen=True)
class CalmSection(BackboneSection):
    # energy, flow or diffusion. `head_steps` is how many steps a draw takes: 0 means as many as published.
    head: str = "energy"
    head_steps: int = 0
    num_mlp_layers: int = 2
    noise_size: int = 64
    num_samples: int = 8
    # Draws from the autoencoder's posterior that the energy loss averages over: 0 means the expectation itself.
    posterior_samples: int = 0
    # Diffusion head: how much more the steps of high noise may weigh than the others. The published loss has 1.
    largest_weight: float = 1.0
    beta: float = 1.0
    auxiliary_weight: float = 1.0
    # Weight of the Brier score of what samples decode to: for the last part of a training, with the energy head.
    token_weight: float = 0.0
    # With token_weight: the backbone learns too, by the law of the next chunk's tokens.
    tune_backbone: bool = False
    # Trains the backbone alone, by the law of the next chunk's tokens: head and decoder wait for a later run.
    backbone_only: bool = False
    # generation_config.json: what the server assumes where a request says nothing.
    temperature: float = 0.5
    num_candidates: int = 200


@dataclass(frozen=True)
class BaselineSection(BackboneSection):
    max_position_embeddings: int = 1024
    temperature: float = 0.7


@dataclass(frozen=True)
class EvaluateSection:
    """`text` names files of its own to score; without it the first held-out source is."""

    documents: int = 400
    positions: int = 10_000
    block_tokens: int = 0
    text: list[str] = field(default_factory=list)
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class SampleSection:
    prompt: str = ""
    stories: int = 8
    temperature: float = 0.5
    num_candidates: int = 200
    max_tokens: int = 300
    seed: int = 1


@dataclass(frozen=True)
class CardSection:
    """What no program can measure: where the data comes from and where the model is weak."""

    title: str = "CALM"
    data: list[str] = field(default_factory=list)
    weaknesses: list[str] = field(default_factory=list)
    documents: int = 400


@dataclass(frozen=True)
class DistillSection:
    """`teacher` is the folder of a trained baseline, which continues the openings of `source`, `documents` of them from
    number `first` on, `rows` at a time."""

    teacher: str = ""
    source: str = ""
    opening_tokens: int = 12
    temperature: float = 0.7
    # Of a document in all; what has not come to its end by then is dropped.
    max_tokens: int = 448
    first: int = 0
    documents: int = 1_000_000
    rows: int = 256
    seed: int = 1
    threads: int = 1
