"""From bases to the tensors that models read."""
