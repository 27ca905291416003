"""Timings of gan_jax and PyTorch: python -m experiments.benchmarks"""
