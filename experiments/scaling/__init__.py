"""How a training step is shared out over devices: python -m experiments.scaling"""
