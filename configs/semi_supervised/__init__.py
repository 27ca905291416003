"""Recipes for few labels, one per file: python -m experiments.semi_supervised --recipes NAME.

The first paragraph of a docstring is the title of the recipe in the tables of results. BASE, if a file has one, is the
recipe that the tables compare it with: a variant of configs/improved_mnist.py. "Errors" are wrong classes of the 10,000
test images of MNIST, counted once, after training. Recipes that did not help have no file here; they are recorded
beside their results, in experiments/results/semi_supervised/recipes.json.
"""
