"""Generative adversarial networks on small images, where one change at a time can be measured."""

__version__ = "0.1.0"
