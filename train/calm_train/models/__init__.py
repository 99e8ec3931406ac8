"""The networks, in plain PyTorch, under the tensor names of the official checkpoints."""
