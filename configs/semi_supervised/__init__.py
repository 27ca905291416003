"""Recipes for few labels, one a file: python -m experiments.semi_supervised --recipes NAME.

The first paragraph of a docstring is the title of the recipe in the tables of results. BASE, if a file has one, is the
recipe that the tables compare it with: a variant of configs/improved_mnist.py. "Errors" are of the 10,000 test images
of MNIST, counted once, after training. Recipes that did not pay are no files but records beside their results:
experiments/results/semi_supervised/recipes.json.
"""
