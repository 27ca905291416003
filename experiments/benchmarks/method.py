"""The texts of the page about its numbers: how they were measured, and how to measure on a GPU."""

METHOD = """## How it is measured

- A step is one update of D and one of G on a fixed batch in float32, with losses, gradients and Adam. Networks, batch,
  distribution of z and optimizer are the same in both frameworks. gan_jax also gathers its batch from a data set of
  uint8 images and computes its metrics, as in training.
- Before the timing, both frameworks compute D's and G's first loss from the same weights and the same z (G's after D's
  first update), without dropout and noise and at a rate of 1e-4. The page has the larger of the two relative
  differences. A test does the same with every form of PyTorch.
- Each contender has its own process with as many threads as there are cores. It compiles, warms up, and then takes
  turns of ten steps with the other contenders. With several processes a contender, one after the other, a process
  counts by the median of its rounds, and the brackets have the quartiles over processes. With one process they have the
  quartiles over its rounds.
- A ratio is PyTorch's time over gan_jax's time in the same round: above 1, gan_jax is faster. "PyTorch's best" is the
  contender with the lowest median ratio. It is compared with gan_jax as users run it, without changes of the
  environment.
- The command refuses to measure if the load average is above 0.5, unless `--any-load` is given; the line under a table
  says so. On a busy machine the numbers mean little, because threads wait for each other.
- Images a second are real images: one batch per step. The share of the peak is the arithmetic of the step's matrix
  products and convolutions (PyTorch's FlopCounterMode, the same number for both frameworks) per second, over the rate
  of the fastest float32 matrix product of either framework on this machine in the same run.
- Forms of PyTorch, all with fused Adam, its fastest form, and without D's weight gradients in G's update:
  - `eager`; `channels_last`: eager, with images and kernels in that memory layout (networks with convolutions);
  - `one forward pass`: the real, generated and labelled images of a D update go through D together, as gan_jax does for
    MLPs without layers that mix images (for convolutions, neither framework does);
  - `compile`: torch.compile of G and of D, forward and backward; also with channels_last, with one forward pass, and
    with the modes `max-autotune` and, on a GPU, `reduce-overhead` (CUDA graphs; there also with the other two);
  - `compile, whole step`: torch.compile of both updates with losses and optimizers; also with channels_last or with one
    forward pass.
- Environments, for gan_jax and for PyTorch's fastest form: `pinned threads` (each thread on its own core: OMP_PROC_BIND
  and OMP_PLACES for PyTorch, the affinity of XLA's threads for gan_jax), and the memory allocators `tcmalloc` and
  `jemalloc` (LD_PRELOAD) if they are installed.
- A section that is older than a form or an environment has no row of it; its date and commit are under its table.
"""

ON_A_GPU = """## On a GPU

`experiments/benchmarks/gpu.sh` measures a machine with one GPU in less than twelve minutes. It has these parts, each
with a process, a time limit and a record (JSON, with device, versions and commit) of its own in `--output`:

- the device: rates of a large matrix product in float32 and bfloat16, and of a large copy;
- a step of each work (SNGAN with the paper's widths, in float32 and in bfloat16) beside PyTorch in the forms `eager`,
  `channels_last`, `compile` and `reduce-overhead` (CUDA graphs), and the share of the roofline;
- ten steps as kernel launches, as one CUDA graph (XLA's command buffers with loops and conditions) or unrolled, with
  the share of the time in which the GPU computed;
- 1, 4, 16 and 64 seeds in one program;
- in the time that is left, the ablation studies of the optimizer, with ten seeds an arm.

The same command continues: it skips the parts that have a record, also if this is an error (`--retry` repeats those).
`gpu.md` in the folder is the page of the records. `--only steps-cgan,graph` chooses parts, `--list` prints them with
their limits, and `--tiny` tries all of them on any machine, also on a CPU. It needs `jax[cuda12]` and `torch` for the
same CUDA version beside `requirements.txt`; on a machine without a network, `WHEELS=FOLDER` names a folder that was
filled by `pip download --dest FOLDER -r requirements.txt "jax[cuda12]" torch`.
"""
