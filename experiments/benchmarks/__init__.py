"""Timings beside PyTorch: python -m experiments.benchmarks"""
