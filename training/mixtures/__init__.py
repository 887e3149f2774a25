"""Networks that read the mean methylation of regions, trained on simulated mixtures of cell types."""
