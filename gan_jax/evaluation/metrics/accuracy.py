"""Accuracy of predicted labels."""

import numpy as np


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of entries that agree, in [0, 1]. For generated images and their conditions: conditional accuracy."""
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def per_class_accuracy(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> list[float | None]:
    """Accuracy within each class; None for a class without images."""
    masks = [np.asarray(labels) == label for label in range(num_classes)]
    return [accuracy(predicted[mask], labels[mask]) if mask.any() else None for mask in masks]
