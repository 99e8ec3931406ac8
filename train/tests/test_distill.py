"""What a baseline writes for a CALM to learn from: its words, the law they follow, and how a killed call goes on."""

import json
from pathlib import Path

import pytest
import torch
from toy import Killed, call

from calm_train import calm, distill, writing
from calm_train.checkpoint import read_config
from calm_train.data import Shard
from calm_train.models.backbone import BackboneShape
from calm_train.models.llama import Llama
from calm_train.vocabulary import Vocabulary
from calm_train.writing import continue_documents

VOCABULARY, MOST = 12, 40


@pytest.fixture
def teacher() -> Llama:
    torch.manual_seed(3)
    shape = BackboneShape(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    return Llama(shape).eval()


@torch.no_grad()
def likeliest_words(model: Llama, opening: list[int], eos: int) -> list[int] | None:
    """The whole context anew for each token."""
    tokens = list(opening)
    while len(tokens) < MOST:
        token = int(model.logits(model.hidden(torch.tensor([tokens])[..., None]))[0, -1].argmax())
        if token == eos:
            return tokens[len(opening) :]
        tokens.append(token)
    return None


def test_each_document_is_continued_from_all_that_stands_before(teacher: Llama, monkeypatch: pytest.MonkeyPatch):
    """Near T = 0 only the likeliest token is drawn. Rows end at different times, and leave the batch at once."""
    monkeypatch.setattr(writing, "STEPS_BETWEEN_DROPS", 1)
    # The embedding as output matrix would make most rows repeat one token for ever.
    output = torch.randn(32, VOCABULARY)
    monkeypatch.setattr(teacher, "logits", lambda hidden: hidden @ output)
    openings = torch.randint(VOCABULARY, (24, 5))
    for eos in range(VOCABULARY):
        expected = [likeliest_words(teacher, opening, eos) for opening in openings.tolist()]
        written = continue_documents(teacher, openings, eos, 1e-4, MOST, torch.Generator().manual_seed(1))
        assert written == expected
        if len({len(words) for words in expected if words is not None}) > 3 and None in expected:
            return
    pytest.fail("the toy model ends its documents at the same time")


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_at_the_temperature(teacher: Llama, temperature: float):
    """A document that ends at once drew EOS first. 4,000 documents for each of the twelve tokens as EOS, each share
    within 4.5 standard errors: a false alarm in 1e-4 of all seeds, and the seed is fixed."""
    count, opening = 4_000, torch.randint(VOCABULARY, (1, 4))
    with torch.no_grad():
        logits = teacher.logits(teacher.hidden(opening[..., None]))[0, -1]
    probabilities = (logits / temperature).softmax(-1)
    assert 0.2 < probabilities.max() < 0.8
    for token, p in enumerate(probabilities.tolist()):
        generator = torch.Generator().manual_seed(token)
        written = continue_documents(teacher, opening.expand(count, -1), token, temperature, 5, generator)
        share = sum(words == [] for words in written) / count
        assert abs(share - p) <= 4.5 * (p * (1 - p) / count) ** 0.5 + 1e-9


def write(run: Path, fresh_run: Path, *arguments: str) -> None:
    begin = (
        "--run",
        str(fresh_run),
        "--teacher",
        str(run / "baseline"),
        "--source",
        "stories",
        "--data.written",
        "own",
    )
    call(distill, run.parent / "toy.toml", *begin, "--rows", "8", "--opening-tokens", "3", *arguments)


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """With a folder of shards of its own, to write into."""
    for part in ("tokenizer", "autoencoder"):
        (tmp_path / part).symlink_to(run / part)
    (tmp_path / "shards").mkdir()
    for shard in (run / "shards").iterdir():
        (tmp_path / "shards" / shard.name).symlink_to(shard)
    return tmp_path


def batches(run: Path) -> list[Path]:
    return sorted((run / "written").glob("stories-*.jsonl"))


def documents(run: Path, name: str) -> list[list[int]]:
    shard = Shard(run / "shards" / name)
    return [shard.document(i).tolist() for i in range(len(shard))]


def test_every_document_begins_with_an_opening_of_the_source(run: Path, own_run: Path):
    write(run, own_run)
    vocabulary = Vocabulary.load(run / "tokenizer")
    openings = {vocabulary.decode(document[:3]) for document in documents(run, "stories")}
    texts = [vocabulary.decode(document) for document in documents(own_run, "own")]
    assert len(texts) > 20
    assert all(any(text.startswith(opening) for opening in openings) for text in texts)


def test_a_run_without_sources_takes_those_of_the_run_that_it_will_start_from(run: Path, tmp_path: Path):
    write(run, tmp_path, "--calm.start-from", str(run))
    assert (tmp_path / "shards" / "stories").samefile(run / "shards" / "stories")
    assert len(documents(tmp_path, "own")) > 20
    assert not (run / "shards" / "own").exists()


def test_a_killed_call_goes_on_behind_its_last_batch(
    run: Path, own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(run, own_run)
    whole = documents(own_run, "own")
    for path in batches(own_run):
        path.unlink()
    calls, own = [], distill.continue_documents

    def killed(*arguments: object) -> list[list[int] | None]:
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return own(*arguments)

    monkeypatch.setattr(distill, "continue_documents", killed)
    with pytest.raises(Killed):
        write(run, own_run)
    assert len(batches(own_run)) == 2
    write(run, own_run)
    assert len(calls) == 3 + 3
    assert documents(own_run, "own") == whole


def test_other_settings_than_a_killed_call_had_are_refused(run: Path, own_run: Path):
    write(run, own_run, "--documents", "8")
    write(run, own_run, "--documents", "16", "--threads", "2")
    with pytest.raises(
        SystemExit, match=r"written was begun with temperature = 0.7, and now it is 0.5: give what it had"
    ):
        write(run, own_run, "--temperature", "0.5")


def test_a_calm_learns_from_it_and_says_what_the_teacher_took(run: Path, own_run: Path):
    write(run, own_run)
    mixes = ("--data.written", "own", "--data.mix", "{ own = 1.0 }")
    call(calm, run.parent / "toy.toml", "--run", str(own_run), "--steps", "2", *mixes)
    config = read_config(own_run / "checkpoint")
    spent = json.loads((own_run / "shards/own/distillation.json").read_text())
    assert spent["teacher_flops"] == read_config(run / "baseline")["training_flops"]
    assert 0 < spent["writing_flops"] < spent["teacher_flops"]
    assert config["distillation_flops"] == spent["teacher_flops"] + spent["writing_flops"]
    assert "distillation_flops" not in read_config(run / "checkpoint")


def test_a_run_that_starts_from_a_taught_one_rests_on_the_same_teacher(run: Path, own_run: Path, tmp_path: Path):
    """Whether it sees the written text again or not, and once only."""
    write(run, own_run)
    mixes = ("--data.written", "own", "--data.mix", "{ own = 1.0 }")
    call(calm, run.parent / "toy.toml", "--run", str(own_run), "--steps", "2", *mixes)
    flops = read_config(own_run / "checkpoint")["distillation_flops"]
    for name, mix in {"again": mixes, "without": ()}.items():
        later = ("--run", str(tmp_path / name), "--start-from", str(own_run), "--steps", "2")
        call(calm, run.parent / "toy.toml", *later, *mix)
        assert read_config(tmp_path / name / "checkpoint")["distillation_flops"] == flops


def test_nothing_that_ends_is_told(run: Path, own_run: Path):
    with pytest.raises(SystemExit, match=r"none of what the teacher wrote came to an end within .* max_tokens = 5"):
        write(run, own_run, "--max-tokens", "5")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--data.written", '""'), r'\[data\] written = "": it must be the name of a source'),
        (("--source", '""'), r'\[distill\] source = "": it must be the name of a source'),
        (("--data.written", "stories"), r'\[data\] written = "stories" is one of sources already'),
        (("--source", "poems"), "poems holds no packed text; run calm_train.pack"),
        (("--temperature", "0"), r"\[distill\] temperature = 0: it must be above 0"),
        (("--max-tokens", "4"), r"\[distill\] max_tokens = 4: it must be above opening_tokens = 3 and BOS"),
    ],
)
def test_what_it_cannot_do_is_told(run: Path, own_run: Path, arguments: tuple[str, ...], sentence: str):
    with pytest.raises(SystemExit, match=sentence):
        write(run, own_run, *arguments)


def test_a_teacher_of_another_tokenizer_is_refused(run: Path, own_run: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    for path in (run / "baseline").iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    ranks = (other / "tokenizer.model").read_text().splitlines()
    (other / "tokenizer.model").write_text("\n".join(ranks[:-1]) + "\n")
    with pytest.raises(SystemExit, match=r"teacher = .*other has another tokenizer than the run"):
        write(run, own_run, "--teacher", str(other))
