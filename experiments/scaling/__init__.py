"""A training step on many devices: python -m experiments.scaling"""
