"""A part of a CALM's training that only its backbone takes part in: the tokens of the next chunk, without a head."""

from torch import Tensor, nn

from calm_train.calm_training import auxiliary_map, chunk_weights, token_states
from calm_train.chunk_law import ChunkLaw
from calm_train.held_out import Batch
from calm_train.models.backbone import document_mask
from calm_train.models.calm import Calm
from calm_train.sections import CalmSection


class LawTraining(nn.Module):
    """Trains the backbone by the cross-entropy of the next chunk's tokens, one after the other.

    Half and more of what a step of the energy score costs goes into the head's samples, and what they say is noisy.
    This spends all of it on what the hidden state knows. The head does not follow, so it needs a run of its own
    afterwards: the law that is learned here is what `TokenTuning` tunes head and decoder by.
    """

    def __init__(self, model: Calm, section: CalmSection):
        super().__init__()
        self.model, self.section = model, section
        self.auxiliary = auxiliary_map(model, section)
        self.law = ChunkLaw(section.hidden_size, model.ae_model.shape.patch_size)
        # Neither head nor decoder gets a gradient: they are handed on from the run before to the one behind.
        model.ae_model.decoder.requires_grad_(True)

    def forward(self, chunks: Tensor, documents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """chunks [B, S+1, K], documents [B, S+1] -> loss and figures; chunk i predicts chunk i + 1."""
        losses = self.cross_entropy(chunks, documents, self.section.dropout)
        loss = (losses * chunk_weights(documents)).sum()
        return loss, {"law": loss.detach()}

    def cross_entropy(self, chunks: Tensor, documents: Tensor, dropout: float = 0.0) -> Tensor:
        """Of each chunk but the first, mean over its tokens: chunks [B, S+1, K], documents [B, S+1] -> [B, S]"""
        hidden = self.model.hidden(chunks[:, :-1], document_mask(documents[:, :-1]), dropout=dropout)
        targets = chunks[:, 1:]
        states = token_states(self.auxiliary, hidden)
        embedding = self.model.transformer.embed_tokens.weight
        flat = self.law.cross_entropy(hidden.flatten(0, 1), states.flatten(0, 1), targets.flatten(0, 1), embedding)
        return flat.view(targets.shape[:2])

    def held_out(self, batch: Batch) -> float:
        """Mean over all predicted chunks of the batch, in nats a token."""
        losses = self.cross_entropy(batch.chunks, batch.valid.int())
        return float(losses[batch.valid[:, 1:]].mean())
