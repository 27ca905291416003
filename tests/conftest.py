"""Fixtures for several folders: small data sets in files, a run of one second, PyTorch and a browser."""

import gzip
import shutil

import numpy as np
import pytest

from configs import default
from gan_jax import cli
from gan_jax.evaluation import features
from gan_jax.evaluation.recipes import Recipe
from gan_jax.system import config as configs
from gan_jax.training import session
from tests import settings
from tests.tiny import idx_bytes, overrides_of, write_idx

settings.apply()


@pytest.fixture
def idx_folder(tmp_path):
    """A small data set of 12 + 6 images in IDX files: gzipped or not, with both forms of the file names."""
    write_idx(tmp_path / "idx", train=12, test=6)
    return tmp_path / "idx"


@pytest.fixture
def digits(tmp_path):
    """60 + 20 noisy images of two classes, a bright left or right half."""
    folder, rng = tmp_path / "digits", np.random.default_rng(0)
    folder.mkdir()
    for prefix, size in (("train", 60), ("t10k", 20)):
        labels = np.arange(size) % 2
        images = rng.integers(0, 60, (size, 8, 8))
        images[labels == 0, :, :4] += 150
        images[labels == 1, :, 4:] += 150
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array.astype(np.uint8))))
    return folder


@pytest.fixture(scope="session")
def stored_set(tmp_path_factory):
    """A data_dir with 230 + 20 images of 128 x 128 x 3, in three array_record files per split."""
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("grain")
    from experiments.benchmarks import stream_set

    folder = tmp_path_factory.mktemp("stored")
    stream_set.prepare(folder / "tfds", {"train": 230, "test": 20}, 128, "jpeg", num_shards=3)
    return folder


@pytest.fixture
def quick_classifier(monkeypatch):
    """The scoring classifier is a network that trains in a moment."""
    recipe = Recipe(widths=(4, 8, 8), num_features=8, num_steps=5, batch_size=4)
    monkeypatch.setattr(features, "recipe_for", lambda *arguments: recipe)


@pytest.fixture
def overrides(idx_folder):
    return overrides_of(idx_folder)


@pytest.fixture
def config(overrides):
    return cli.parse_config("configs/cgan.py", overrides)


@pytest.fixture(scope="session")
def copy_of_run(tmp_path_factory):
    """(path, **changes) -> config: copies a finished run to path. Each combination of changes is trained once."""
    folder = tmp_path_factory.mktemp("trained")
    write_idx(folder / "idx", train=12, test=6)

    def copy_to(path, **changes):
        config = cli.parse_config("configs/cgan.py", overrides_of(folder / "idx"))
        configs.override(config, changes)
        original = folder / "-".join(["run", *(f"{knob}={value}" for knob, value in changes.items())])
        if not original.exists():
            # Renamed only when it has ended, so that a failed training is never copied.
            training = folder / "training"
            shutil.rmtree(training, ignore_errors=True)
            session.train(config, str(training))
            training.rename(original)
        shutil.copytree(original, path)
        return config

    return copy_to


@pytest.fixture
def finished_run(copy_of_run, tmp_path):
    """(workdir, config) of a finished run of 7 steps with checkpoints at 6 and 7."""
    return tmp_path / "run", copy_of_run(tmp_path / "run")


@pytest.fixture
def add_key(monkeypatch):
    """A function that adds the key `made_up`, 1.0, to the default config, as a later version may."""
    get_config = default.get_config

    def with_new_key():
        config = get_config().unlock()
        config.made_up = 1.0
        return config.lock()

    return lambda: monkeypatch.setattr(default, "get_config", with_new_key)


@pytest.fixture(scope="session")
def torch():
    module = pytest.importorskip("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)  # on a busy machine, more threads wait for each other
    yield module
    module.set_num_threads(threads)


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window: Playwright's Chromium, or that of the system."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-headless-shell", "google-chrome", "chrome")
    with playwright.sync_playwright() as driver:
        for path in (None, *filter(None, map(shutil.which, names))):
            try:
                browser = driver.chromium.launch(executable_path=path)
            except playwright.Error:
                continue
            yield browser
            browser.close()
            return
        pytest.skip("needs Chromium: playwright install chromium, or the system's package")


@pytest.fixture
def open_page(chromium, tmp_path):
    """(text, **options) -> page, without a network. The test fails if the page logs an error or requests a URL."""
    problems, contexts = [], []

    def open_text(text, **options):
        path = tmp_path / "page.html"
        path.write_text(text)
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or problems.append(request)
        )
        page.goto(path.as_uri())
        return page

    yield open_text
    assert not problems
    for context in contexts:
        context.close()
