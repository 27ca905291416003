#!/usr/bin/env bash
# Measures gan_jax on this machine's GPU, in parts that take less than twelve minutes in all:
#
#     experiments/benchmarks/gpu.sh [--only steps-cgan,graph] [--idx FOLDER] [--output FOLDER]
#
# The same command continues: parts that have a record are skipped. experiments/benchmarks/gpu.sh --tiny tries every part
# on any machine, also on a CPU.
#
# What it needs: requirements.txt, jax[cuda12] and torch (built for the same CUDA version, since both bring cuDNN). If
# PYTHON can import them, it is used as it is. Otherwise an environment is made in .venv-gpu, from the folder WHEELS if
# it is set. On a machine with a network, this fills such a folder:
#
#     pip download --dest wheels -r requirements.txt "jax[cuda12]" torch
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
if ! "$python" -c "import jax, flax, optax, orbax.checkpoint, ml_collections, torch" 2>/dev/null; then
    if [ ! -x .venv-gpu/bin/python ]; then
        "$python" -m venv .venv-gpu
    fi
    python=.venv-gpu/bin/python
    wheels=()
    if [ -n "${WHEELS:-}" ]; then
        wheels=(--no-index --find-links "$WHEELS")
    fi
    "$python" -m pip install --quiet --disable-pip-version-check "${wheels[@]}" -r requirements.txt "jax[cuda12]" torch
fi
exec "$python" -m experiments.benchmarks.gpu "$@"
