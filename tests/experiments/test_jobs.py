"""Code that the runners share: arguments, the configs of run processes, and their records."""

import argparse
import pathlib
import re

import pytest

from experiments.jobs import records
from experiments.jobs.arguments import add_folders, check_at_least, data_dir_arguments, idx_source
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_sealed


def test_folder_arguments_are_parsed_and_passed_on():
    parser = argparse.ArgumentParser()
    add_folders(parser, "results", "runs/x")
    usual = parser.parse_args([])
    assert vars(usual) == {"workdir": "runs/x", "output": "results", "idx": "", "data_dir": ""}
    assert idx_source(usual.idx) == {}
    assert data_dir_arguments(usual.data_dir) == []
    parsed = parser.parse_args(["--idx=a", "--data_dir=b"])
    assert idx_source(parsed.idx) == {"data.name": "idx", "data.dir": "a"}
    assert data_dir_arguments(parsed.data_dir) == ["--data_dir=b"]
    check_at_least(0, first=0, second=3)
    with pytest.raises(UserError, match="^--second=0: must be at least 1$"):
        check_at_least(1, first=1, second=0)


def test_a_process_reads_the_written_config(tmp_path):
    config = configs.load("configs/cgan.py")
    records.write_config(tmp_path / "deep" / "run", config)
    assert configs.differences(config, records.read_config(tmp_path / "deep" / "run")) == []


def test_a_record_is_complete_or_none(tmp_path):
    path = tmp_path / "seed-0.json"
    assert records.read(path) is None
    write_sealed(path, {"status": "completed"})
    assert records.read(path) == {"status": "completed"}
    path.write_text(path.read_text().replace("completed", "collapsed"))
    with pytest.raises(UserError, match="seed-0.json was damaged .*; delete it, and the same command makes it again"):
        records.read(path)


def test_provenance_has_the_known_entries():
    run = {"commit": "a", "data": {"used": "idx"}, "status": "completed", "step": 3}
    assert records.provenance(run) == {"commit": "a", "data": {"used": "idx"}}
    assert records.provenance(run, "step") == {"commit": "a", "data": {"used": "idx"}, "step": 3}


def test_shared_code_imports_no_runner():
    files = list(pathlib.Path("experiments/jobs").glob("*.py"))
    rooms = {room for path in files for room in re.findall(r"from experiments\.?(\w*)", path.read_text())}
    assert rooms == {"jobs"}
