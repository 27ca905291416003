"""Power over spatial frequency: do generated images have as much fine detail as real images?"""

import pathlib

import numpy as np

from gan_jax.analysis.subject import Subject, figure, save

_NYQUIST = 0.5  # cycles per pixel, along an axis


def radial_spectrum(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frequencies [R], counts [R], power [N, R]): the azimuthal average of each image's power spectrum.

        F(k, l) = sum_mn I(m, n) exp(-2 pi i (k m / H + l n / W))
        P(r)    = mean of |F(k, l)|^2 over the counts(r) entries with round(S sqrt((k / H)^2 + (l / W)^2)) = r

    Equations 1 and 2 of Durall et al. 2020 (arXiv 2003.01826). The paper integrates over the angle; here P is a mean,
    so that white noise has a flat spectrum. P(0) is the brightness, the square of the sum of I.

    S is the longer side.

    images: uint8 [N, H, W, C], scaled to [0, 1], colours averaged.
    frequencies: r / S, in cycles per pixel. The highest frequency along an axis is 0.5; rings beyond it contain only
        the corners. They are returned because only with them sum_r counts(r) P(r) = H W sum_mn I(m, n)^2 (Parseval).
        A ring without an entry is left out.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(f"expected images uint8 [N, H, W, C], got {images.dtype} {images.shape}")
    side = max(images.shape[1:3])
    rows, columns = (np.fft.fftfreq(length, 1 / side) for length in images.shape[1:3])
    rings = np.rint(np.hypot(rows[:, None], columns)).astype(int).ravel()
    radii, counts = np.unique(rings, return_counts=True)
    power = np.abs(np.fft.fft2(images.mean(axis=3, dtype=np.float64) / 255)).reshape(len(images), -1) ** 2
    # In the order of rings, the entries of a ring are contiguous.
    sums = np.add.reduceat(power[:, np.argsort(rings, kind="stable")], np.cumsum(counts) - counts, axis=1)
    return radii / side, counts, sums / counts


def spectrum(subject: Subject, folder: pathlib.Path) -> dict:
    """spectrum.png: mean power of test, training and generated images, and its ratio to the test images' power.

    The ratio is log10(P / P_test) of mean powers at frequencies in (0, 0.5]; 0.3 is twice the power. The ratio of the
    training images shows the size of random differences at this number of images.
    """
    data, num_images = subject.dataset, subject.num_images
    kinds = {
        "test": subject.subset(data.test, num_images).images,
        "train": subject.subset(data.train, num_images).images,
        "generated": subject.generated.images,
    }
    spectra = {kind: radial_spectrum(images)[2] for kind, images in kinds.items()}
    frequencies = radial_spectrum(kinds["test"][:1])[0]
    in_range = (frequencies > 0) & (frequencies <= _NYQUIST)
    # The power of flat images is 0 up to rounding; 1e-12 avoids the logarithm of 0.
    logs = {kind: np.log10(np.maximum(power, 1e-12)) for kind, power in spectra.items()}
    means = {kind: np.log10(np.maximum(power.mean(axis=0), 1e-12)) for kind, power in spectra.items()}
    ratios = {kind: (means[kind] - means["test"])[in_range] for kind in ("generated", "train")}
    kept_logs = {kind: log[:, in_range] for kind, log in logs.items()}
    kept_means = {kind: mean[in_range] for kind, mean in means.items()}
    _draw(frequencies[in_range], kept_logs, kept_means, ratios, folder)
    largest = {kind: int(np.abs(ratio).argmax()) for kind, ratio in ratios.items()}
    return {
        "largest_log10_ratio": float(ratios["generated"][largest["generated"]]),
        "at_cycles_per_pixel": float(frequencies[in_range][largest["generated"]]),
        "largest_log10_ratio_train": float(ratios["train"][largest["train"]]),
        "mean_absolute_log10_ratio": float(np.abs(ratios["generated"]).mean()),
        "mean_absolute_log10_ratio_train": float(np.abs(ratios["train"]).mean()),
        "cycles_per_pixel": frequencies[in_range].tolist(),
        **{f"log10_power_{kind}": mean.tolist() for kind, mean in kept_means.items()},
        **{f"num_{kind}": len(images) for kind, images in kinds.items()},
    }


def _draw(
    frequencies: np.ndarray,
    logs: dict[str, np.ndarray],
    means: dict[str, np.ndarray],
    ratios: dict[str, np.ndarray],
    folder: pathlib.Path,
) -> None:
    """frequencies [R]; logs [N, R], means [R] and ratios [R] by kind of images, as log10."""
    plot, ((power, ratio),) = figure(1, 2, 12, 4.5)
    colors = {"test": "black", "train": "tab:blue", "generated": "tab:red"}
    for kind, color in colors.items():
        low, high = np.percentile(logs[kind], (10, 90), axis=0)
        if kind != "train":  # Its band would hide the equal band of the test images.
            power.fill_between(frequencies, low, high, color=color, alpha=0.15, label=f"{kind}: 10 to 90 % of images")
        power.plot(frequencies, means[kind], color=color, label=f"{kind}: mean")
    power.set(
        xlabel="frequency (cycles per pixel)", ylabel="log10 of power (grey in [0, 1])", title="Radial power spectrum"
    )
    for kind, values in ratios.items():
        ratio.plot(frequencies, values, color=colors[kind], marker=".", label=f"{kind} / test")
    ratio.axhline(0, color="black", linewidth=0.8)
    ratio.set(xlabel="frequency (cycles per pixel)", ylabel="log10 of power ratio", title="Power against test images")
    for axes in (power, ratio):
        axes.legend(fontsize=8)
    save(plot, folder / "spectrum.png")
