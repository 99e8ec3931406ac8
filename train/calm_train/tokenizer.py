"""`python -m calm_train.tokenizer --config ...`: learns a byte-level BPE and writes it as tiktoken ranks."""

from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from calm_train.config import Config, parse_command_line
from calm_train.text import read_documents
from calm_train.vocabulary import SPECIAL_TOKENS, SPLIT_PATTERN, Vocabulary


def train_vocabulary(documents: Iterator[str], vocab_size: int) -> Vocabulary:
    """`vocab_size` counts the special tokens too, so that the embedding has exactly that many rows."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    to_byte = {character: byte for byte, character in enumerate(byte_characters())}
    by_rank = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return Vocabulary(tuple(bytes(to_byte[c] for c in token) for token, _ in by_rank))


def byte_characters() -> list[str]:
    """GPT-2's printable stand-in for each byte 0..255."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    stand_ins = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(stand_ins)) for byte in range(256)]


def learn(config: Config) -> None:
    if not config.tokenizer.files:
        raise SystemExit("[tokenizer] files = []: it must name the text that the vocabulary is learned from")
    files = [config.corpora / name for name in config.tokenizer.files]
    documents = (document for path in files for document in read_documents(path))
    vocabulary = train_vocabulary(documents, config.tokenizer.vocab_size)
    vocabulary.save(config.run / "tokenizer")
    print(f"{vocabulary.size} tokens, special ones included, in {config.run / 'tokenizer'}")


def main() -> None:
    learn(parse_command_line("tokenizer"))


if __name__ == "__main__":
    main()
