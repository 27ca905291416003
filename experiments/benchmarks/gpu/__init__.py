"""Measurements on a GPU, in parts that fit into a quarter of an hour: python -m experiments.benchmarks.gpu"""
