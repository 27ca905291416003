"""Semi-supervised classification with few labels: the table of arXiv 1606.03498, and later techniques."""
