"""Strict arithmetic for every test: a [B, 1] logit against a [B] target must fail, not broadcast to [B, B]."""

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
