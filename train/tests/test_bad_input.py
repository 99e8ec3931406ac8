"""What people give by mistake ends with one sentence that names it."""

import dataclasses
import json
import lzma
import shutil
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.exc import InternalTorchDynamoError
from torch._functorch.aot_autograd import make_boxed_func
from torch._inductor.exc import InductorError
from toy import CONFIG, call, stories

from calm_train import autoencoder, baseline, calm, card, evaluate, golden, pack, tokenizer
from calm_train.data import Shard
from calm_train.precision import compiled
from calm_train.text import read_documents
from calm_train.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", b"", "holds no text"),
        ("blank.txt", b"\n<|endoftext|>\n \n", "holds no text"),
        ("latin.txt", "café".encode("latin-1"), "is not UTF-8"),
        ("broken.txt.xz", lzma.compress(b"text" * 1000)[:40], "cannot read"),
        ("not.xz", b"plain text", "cannot read"),
        ("bad.jsonl", b'{"text": "a"}\n{"text": ', "bad.jsonl, line 2: not JSON"),
        ("fields.jsonl", b'{"content": "a"}\n', "fields.jsonl, line 1: no field `text`"),
        ("number.jsonl", b'{"text": 3}\n', "line 1: no field `text` that is a string"),
    ],
)
def test_text_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, sentence: str):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SystemExit, match=sentence):
        list(read_documents(path))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"cannot read .*missing.txt: .*No such file"):
        list(read_documents(tmp_path / "missing.txt"))


def test_jsonl_gives_its_texts_compressed_or_not(tmp_path: Path):
    content = "".join(json.dumps({"text": text, "id": 1}) + "\n" for text in ["One.", " Two\nlines. ", ""]).encode()
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl.xz").write_bytes(lzma.compress(content))
    assert list(read_documents(tmp_path / "a.jsonl")) == ["One.", "Two\nlines."]
    assert list(read_documents(tmp_path / "b.jsonl.xz")) == ["One.", "Two\nlines."]


def test_a_budget_below_one_step(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match=r"flops = 1e\+06 pays for no step: .* were spent before"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--flops", "1e6")


def test_a_missing_configuration(tmp_path: Path):
    with pytest.raises(SystemExit, match="cannot read the configuration"):
        call(calm, tmp_path / "none.toml")


def test_too_little_text_for_one_row(tmp_path: Path):
    (tmp_path / "stories.txt").write_text("A cat sat.")
    (tmp_path / "more.jsonl").write_text('{"text": "A dog ran."}\n')
    config = tmp_path / "toy.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    call(tokenizer, config, "--vocab-size", "262")
    call(pack, config)
    with pytest.raises(SystemExit, match=r"shards/more has \d+ tokens, fewer than one row of 16 chunks of 2"):
        call(autoencoder, config)


def test_an_autoencoder_with_another_chunk_size(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match="packs 2 tokens into a latent, but patch_size is 4"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--patch-size", "4")


def test_a_tokenizer_that_does_not_match(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    (fresh_run / "tokenizer").unlink()
    call(tokenizer, config, "--run", str(fresh_run), "--vocab-size", "280")
    assert Vocabulary.load(fresh_run / "tokenizer").size == 280
    with pytest.raises(SystemExit, match="was packed with another tokenizer; run calm_train.pack again"):
        call(calm, config, "--run", str(fresh_run))
    (fresh_run / "shards").unlink()
    call(pack, config, "--run", str(fresh_run))
    with pytest.raises(SystemExit, match="was trained with another tokenizer than"):
        call(calm, config, "--run", str(fresh_run))


@pytest.mark.parametrize("command", [calm, autoencoder, baseline, golden, card, evaluate])
def test_held_out_text_of_another_tokenizer(run: Path, tmp_path: Path, command: ModuleType):
    for part in ("tokenizer", "autoencoder", "checkpoint"):
        (tmp_path / part).symlink_to(run / part)
    shutil.copytree(run / "shards", tmp_path / "shards")
    other = dataclasses.replace(Vocabulary.load(run / "tokenizer"), pattern=r"\s+|\S+")
    pack.pack(stories(), other, tmp_path / "shards" / "more")
    sources = ("--data.mix", "{ stories = 1.0 }", "--data.held-out", '["more"]')
    with pytest.raises(SystemExit, match=r"shards/more was packed with another tokenizer; run calm_train.pack again"):
        call(command, run.parent / "toy.toml", "--run", str(tmp_path), *sources)


def test_a_run_without_its_earlier_steps(run: Path, tmp_path: Path):
    config = run.parent / "toy.toml"
    with pytest.raises(SystemExit, match="holds no tokenizer .*; run calm_train.tokenizer first"):
        call(calm, config, "--run", str(tmp_path))
    (tmp_path / "tokenizer").symlink_to(run / "tokenizer")
    with pytest.raises(SystemExit, match="holds no packed text; run calm_train.pack"):
        call(calm, config, "--run", str(tmp_path))
    (tmp_path / "shards").symlink_to(run / "shards")
    with pytest.raises(SystemExit, match="autoencoder holds no tokenizer|autoencoder holds no checkpoint"):
        call(calm, config, "--run", str(tmp_path))


def test_a_killed_pack_is_refused(run: Path, tmp_path: Path):
    vocabulary = Vocabulary.load(run / "tokenizer")
    pack.pack(stories(), vocabulary, tmp_path / "shard")

    def until_killed():
        yield "A cat."
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack.pack(until_killed(), vocabulary, tmp_path / "shard")
    with pytest.raises(SystemExit, match="holds no packed text"):
        Shard(tmp_path / "shard")


def test_a_backward_pass_that_does_not_compile_is_met_before_a_gradient_asks_for_it(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def broken(graph, inputs):
        raise InductorError(ImportError("half.so: file too short"), None)

    backend = aot_autograd(fw_compiler=lambda graph, inputs: make_boxed_func(graph.forward), bw_compiler=broken)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    weight = torch.ones(3, requires_grad=True)
    compiled(lambda x: (x * weight).exp().sum())(torch.ones(3)).backward()
    assert weight.grad is not None
    assert "file too short): going on without it" in capsys.readouterr().out


def test_a_failing_compiler_is_told_and_done_without(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def broken(function):
        def fail(*args):
            raise InternalTorchDynamoError(
                "backend='inductor' raised:\nno C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1"
            )

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    double = compiled(lambda x: 2 * x)
    assert (double(2), double(3)) == (4, 6)
    assert capsys.readouterr().out.count("failed (backend='inductor' raised: no C++ compiler found): going") == 1

    def other(function):
        def fail(*args):
            raise ValueError("a mistake in the model")

        return fail

    monkeypatch.setattr(torch, "compile", other)
    with pytest.raises(ValueError, match="a mistake in the model"):
        compiled(lambda x: x)(1)
