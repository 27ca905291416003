"""Records for Weights & Biases (offline) and MLflow (its database), and the interface that all services have."""

import json
import sys
import types

import numpy as np
import pytest

import gan_jax
from gan_jax import main
from gan_jax.runs import records, trackers
from gan_jax.runs.records import Records, read_metrics
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from tests.tiny import overrides_of, run, write_idx


class Service:
    """Remembers what it is told."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.fixture
def services(monkeypatch):
    """Two services, "one" and "two"."""
    made = {name: Service() for name in ("one", "two")}
    kinds = {name: records.Kind(lambda *_, name=name: made[name]) for name in made}
    monkeypatch.setattr(records, "SERVICES", kinds)
    return made


def test_every_service_gets_everything(tmp_path, services):
    written = Records(tmp_path, tmp_path / "metrics.jsonl", 0, names="one, two")
    image = np.zeros((4, 4, 1), np.uint8)
    written.settings({"a": 1})
    written.scalars(1, {"d_loss": 0.5, "g_loss": float("nan")})
    written.image(1, "samples", image)
    written.flush()
    written.close()
    for service in services.values():
        names = [call[0] for call in service.calls]
        assert names == ["settings", "scalars", "image", "flush", "flush", "close"]
        assert service.calls[1][1] == 1
        assert np.isnan(service.calls[1][2]["g_loss"])
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "d_loss": 0.5, "g_loss": None}]


def test_no_service(tmp_path, services):
    written = Records(tmp_path, tmp_path / "metrics.jsonl", 0, names="")
    written.scalars(1, {"d_loss": 0.5})
    written.close()
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 1
    assert not any(service.calls for service in services.values())


def test_mistakes_are_found_before_anything_is_written(tmp_path, monkeypatch, capsys):
    write_idx(tmp_path / "idx", train=12, test=6)
    monkeypatch.setitem(sys.modules, "wandb", None)
    for value, message in (
        ("wandbb", "records='wandbb' is unknown; did you mean wandb"),
        ("tensorboard,wandb", "records=wandb needs wandb: pip install"),
    ):
        arguments = ("--workdir", tmp_path / "run", *overrides_of(tmp_path / "idx"), f"--config.records={value}")
        assert run(main, "--config", "configs/cgan.py", *arguments) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_a_run_without_the_setting_is_read_as_one_for_tensorboard(config):
    table = json.loads(configs.to_json(config))
    del table["records"]
    assert recorded.from_json(json.dumps(table)).records == "tensorboard"


def test_a_service_that_fails_does_not_end_the_run(caplog):
    tracker = trackers.Tracker()
    tracker.service = "Something"
    calls = []

    def fail():
        calls.append(1)
        raise ConnectionError("no\nnetwork")

    tracker._call(fail)
    tracker._call(fail)
    assert calls == [1]
    assert "no more records for Something: no network" in caplog.text


def test_a_run_keeps_its_id(tmp_path):
    ids = iter("abc")
    assert trackers._run_id(tmp_path, "wandb", lambda: next(ids)) == ("a", True)
    assert trackers._run_id(tmp_path, "wandb", lambda: next(ids)) == ("a", False)
    assert trackers._run_id(tmp_path, "mlflow", lambda: next(ids)) == ("b", True)
    assert json.loads((tmp_path / "trackers.json").read_text()) == {"mlflow": "b", "wandb": "a"}


def test_nothing_is_sent_to_weights_and_biases_without_being_asked(tmp_path, monkeypatch):
    """The library is a stand-in that remembers how it is started."""
    started = []
    wandb = types.ModuleType("wandb")
    wandb.Image, wandb.Settings = list, dict
    wandb.init = lambda **settings: started.append(settings) or Service()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    trackers.WeightsAndBiases(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "online")
    trackers.WeightsAndBiases(tmp_path)
    assert [settings["mode"] for settings in started] == ["offline", "online"]
    assert started[0]["id"] == started[1]["id"]
    assert started[0]["dir"] == str(tmp_path)


@pytest.fixture
def trained(config, tmp_path, monkeypatch):
    """(service) -> the run of a config that writes to it."""
    for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def train(service):
        configs.override(config, {"records": service})
        return gan_jax.train(config, tmp_path / "run", progress=False)

    return train


@pytest.mark.filterwarnings("ignore")  # The libraries' own.
def test_weights_and_biases_offline(trained):
    pytest.importorskip("wandb")
    finished = trained("wandb")
    (folder,) = (finished.path / "wandb").glob("offline-run-*")
    identity = json.loads((finished.path / "trackers.json").read_text())["wandb"]
    data = (folder / f"run-{identity}.wandb").read_bytes()
    for name in (b"d_loss", b"g_loss", b"generator.widths"):
        assert name in data
    assert len(list((folder / "files" / "media" / "images").glob("samples_*.png"))) == 2
    assert not list(finished.path.glob("events.out.*"))


@pytest.mark.filterwarnings("ignore")  # The libraries' own.
def test_mlflow_in_the_workdir(trained):
    tracking = pytest.importorskip("mlflow.tracking")
    finished = trained("mlflow")
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{finished.path / 'mlflow.db'}")
    identity = json.loads((finished.path / "trackers.json").read_text())["mlflow"]
    history = client.get_metric_history(identity, "d_loss")
    expected = [(row["step"], row["d_loss"]) for row in read_metrics(finished.path / "metrics.jsonl")]
    assert [(metric.step, metric.value) for metric in history] == expected
    info = client.get_run(identity)
    assert info.data.params["generator.norm"] == "batch"
    assert info.info.status == "FINISHED"
    assert {path.name for path in finished.path.glob("mlruns/*/artifacts/samples/*")} == {
        "step-000004.png",
        "step-000007.png",
    }
    # The run goes on under the same id.
    trackers.open_mlflow(finished.path, 7, ()).scalars(8, {"d_loss": 1.5, "g_loss": float("nan")})
    assert client.get_metric_history(identity, "d_loss")[-1].value == 1.5


def test_every_service_can_be_asked_for():
    assert records.services("") == []
    assert records.services("tensorboard") == ["tensorboard"]
    with pytest.raises(UserError, match="records='tensorbord' is unknown; did you mean tensorboard"):
        records.services("tensorbord")
    text = configs.to_json(configs.load("default"))
    assert json.loads(text)["records"] in records.SERVICES
