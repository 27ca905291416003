"""Systems on colour images, trained on a small machine: python -m experiments.colour --cifar10 PATH --emoji PATH"""
