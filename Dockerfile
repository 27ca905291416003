# gan_jax with the extras of the README's two commands, for CPUs or NVIDIA GPUs:
#
#   docker build -t gan_jax .
#   docker build -t gan_jax:cuda --build-arg ACCELERATOR=cuda13 .
#   docker run --rm -v "$PWD:/data" gan_jax train --config cdcgan
#   docker run --rm -v "$PWD:/data" --gpus all gan_jax:cuda train --config cdcgan
#
# Runs are written to the current folder of the host. The commit of the code is not in the image; the records have the
# version of the package instead.
FROM python:3.12-slim

# "" for CPUs, or an extra of jax: cuda13. The GPU's driver is that of the host.
ARG ACCELERATOR=""

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY gan_jax gan_jax
RUN pip install --no-cache-dir ".[tensorboard,tfds,stream,plots,digits,onnx]" \
    && if [ -n "$ACCELERATOR" ]; then pip install --no-cache-dir "jax[$ACCELERATOR]"; fi \
    && rm -r /src/*

# A user without rights; the cache (compiled programs, prepared data) is in its home folder.
RUN useradd --create-home gan
USER gan
WORKDIR /data
ENTRYPOINT ["gan-jax"]
CMD ["--help"]
