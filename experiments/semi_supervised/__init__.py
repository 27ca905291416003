"""Semi-supervised classification with few labels: the table of arXiv 1606.03498 and what comes on top of it."""
