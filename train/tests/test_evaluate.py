import numpy as np
import torch

from calm_train.held_out import _branch, batch_documents, brier_positions, held_out_energy
from calm_train.models.calm import Calm

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
