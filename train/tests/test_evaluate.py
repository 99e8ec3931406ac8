import numpy as np
import torch

from calm_train.data import Special, grid_documents
from calm_train.held_out import _branch, batch_documents, brier_positions, held_out_energy
from calm_train.models.calm import Calm
from calm_train.vocabulary import Vocabulary

EOS = 61


class Oracle:
    """Always draws the true next chunk of a document that counts up."""

    def hidden(self, chunks, mask=None, *, positions=None):
        return chunks[..., -1:].float()

    def draw(self, hidden, count):
        following = hidden.long() + torch.tensor([1, 2])
        return following.expand(count, -1, -1)

    def device(self):
        return torch.device("cpu")


def test_a_model_that_is_always_right_scores_one_hundred():
    documents = [np.arange(20).reshape(-1, 2)]
    (terms,) = brier_positions(Oracle(), documents, EOS, max_positions=100)
    assert terms.shape == (8, 4)
    assert (terms == 1).all()


def test_targets_with_end_of_text_are_left_out():
    document = np.array([[0, 1], [2, 3], [4, 5], [6, EOS]])
    (terms,) = brier_positions(Oracle(), [document], EOS, max_positions=100)
    assert len(terms) == 1


def test_branches_get_the_hidden_state_of_the_text_they_stand_for(calm: Calm):
    chunks = torch.randint(0, 60, (7, 2))
    branches = torch.randint(0, 60, (3, 2, 2))
    starts = torch.tensor([1, 4, 6])
    states = _branch(calm, chunks, starts, branches)
    for start, branch, state in zip(starts, branches, states, strict=True):
        alone = calm.hidden(torch.cat([chunks[:start], branch])[None])[0, -1]
        torch.testing.assert_close(state, alone, rtol=1e-4, atol=1e-5)


def test_padding_does_not_enter_the_held_out_energy(calm: Calm):
    documents = [np.random.default_rng(0).integers(0, 60, (n, 2)) for n in (3, 9)]
    batch = batch_documents(documents)
    torch.manual_seed(0)
    together = held_out_energy(calm, batch, 64, 1.0)
    apart = [held_out_energy(calm, batch_documents([d]), 64, 1.0) for d in documents]
    assert abs(together - (2 * apart[0] + 8 * apart[1]) / 10) < 0.1


def test_models_of_every_chunk_size_are_scored_at_the_same_places(run):
    shard, vocabulary = run / "shards" / "stories", Vocabulary.load(run / "tokenizer")
    targets = {}
    for k in (1, 2, 4, 8):
        special = Special.of(vocabulary, k)
        documents, starts = grid_documents(shard, special, 8, max_tokens=40, count=20)
        seen = Recorder(vocabulary.eos)
        terms = brier_positions(seen, documents, vocabulary.eos, 1000, starts)
        pairs = zip(documents, starts, strict=True)
        places = [tuple(document[i:].flatten()[:4]) for document, chosen in pairs for i in chosen]
        targets[k] = [place for place in places if len(place) == 4 and vocabulary.eos not in place]
        assert sum(len(t) for t in terms) == len(targets[k]) > 40
    assert targets[1] == targets[2] == targets[4] == targets[8]


class Recorder:
    """Draws the end of text, always."""

    def __init__(self, eos: int):
        self.eos = eos

    def hidden(self, chunks, mask=None, *, positions=None):
        return chunks.float()

    def draw(self, hidden, count):
        return torch.full((count, *hidden.shape), self.eos)

    def device(self):
        return torch.device("cpu")
