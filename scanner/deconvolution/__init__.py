"""From reads or regions with their methylation to the proportions of tissues in a sample."""
