"""Experiments: studies, searches, measurements and their pages."""

from gan_jax.system.imports import use_own_configs

use_own_configs()  # Another package named configs may be on the path of the user's Python.
