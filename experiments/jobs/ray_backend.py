"""Runs on the nodes of a Ray cluster: an actor for each, which starts the same process that the local backend would.

Ray places the actors and says when one has died; records go through the workdir, which every node sees.
"""

import contextlib
import importlib.metadata
import os
import pathlib
import signal
import time
import uuid
from collections.abc import Iterator

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from experiments.jobs import locks, on_node
from experiments.jobs.cluster_shares import Share, share, usual_jobs
from experiments.jobs.pool import Child, settings
from gan_jax.system.errors import Interrupted, UserError

RETRIES = 3  # of a run whose worker died
_DIED = -9
_ANSWER_SECONDS = 10.0  # until a worker that was told to stop has heard it
_SURVEY_SECONDS = 120.0
_VISIBLE_SECONDS = 60.0  # until what a node wrote is seen here: network file systems remember what was not there
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
_FORWARDED = ("JAX_", "XLA_", "OMP_", "OPENBLAS_", "MKL_", "TF_")

# A node may have no checkout, and shall say so: code that it would have to import could not.
for module in (on_node, locks):
    ray.cloudpickle.register_pickle_by_value(module)
_WORKER = ray.remote(on_node.Worker)
_SURVEY = ray.remote(on_node.survey)


class _Remote(Child):
    """A run on some node, started again where its worker dies."""

    def __init__(self, name: str, folder: pathlib.Path, words: list[str], share: Share, compiled: str, settings: dict):
        super().__init__(name, folder)
        self._words, self._share, self._compiled, self._settings = words, share, compiled, settings
        self._deaths, self._seen_until = 0, None
        self._begin()

    def _begin(self) -> None:
        cores, gpus = self._share
        # At once: run, stop and where. Ray's own restarts would say nothing of what they do.
        self._worker = _WORKER.options(num_cpus=cores, num_gpus=gpus, max_concurrency=3, max_restarts=0).remote()
        self._where, self._placed = None, self._worker.where.remote()
        self._ended = self._worker.run.remote(
            os.getcwd(), str(self.folder), self._words, cores, self._compiled, self._settings
        )

    def working(self) -> bool:
        if self._where is None and _ready(self._placed):
            self.began = time.monotonic()
            with contextlib.suppress(RayError):
                self._where = "{}, process {}".format(*ray.get(self._placed))
        return self._where is not None

    def code(self) -> int | None:
        """Its worker's, once the records that lie on the node are seen here too."""
        if not _ready(self._ended):
            return None
        try:
            code, records = ray.get(self._ended)
        except RayTaskError as error:
            raise UserError(f"--workdir: {self.name} cannot be run: {_first_line(error)}") from None
        except RayError:
            return self._died()
        self._seen_until = self._seen_until or time.monotonic() + _VISIBLE_SECONDS
        seen = all(map(os.path.exists, records)) or time.monotonic() > self._seen_until
        return code if seen else None

    def _died(self) -> int | None:
        self._deaths += 1
        where = self._where or "before it began"
        if self._deaths > RETRIES:
            return _DIED
        print(f"{self.name}: its worker died ({where}); try {self._deaths} of {RETRIES} begins", flush=True)
        self._begin()
        return None

    def last_line(self) -> str:
        return f"its worker died {self._deaths} times" if self._deaths > RETRIES else super().last_line()

    def stop(self) -> None:
        self._heard, self._stopped_at = self._worker.stop.remote(), time.monotonic()

    def wait(self) -> None:
        """Until it has saved; one that waits for a free node never hears that it should stop, and is taken back."""
        left = self._stopped_at + _ANSWER_SECONDS - time.monotonic()
        if not _ready(self._heard, max(left, 0)):
            return self.kill()
        while not _ready(self._ended, 1):
            pass
        return None

    def kill(self) -> None:
        """Ends its worker, and the process on the node with it."""
        ray.kill(self._worker)

    def close(self) -> None:
        ray.kill(self._worker)


class Cluster:
    """The backend of a Ray cluster."""

    def __init__(self, jobs: int, share: Share):
        self.jobs, self._share = jobs, share

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        forwarded = {name: value for name, value in os.environ.items() if name.startswith(_FORWARDED)}
        self._settings, self._compiled = settings(self.jobs) | forwarded, str(workdir.absolute() / ".cache")

    def start(self, name: str, folder: pathlib.Path, words: list[str]) -> Child:
        return _Remote(name, folder, words, self._share, self._compiled, self._settings)


def _ready(reference: ray.ObjectRef, seconds: float = 0) -> bool:
    """Whether an answer, or the reason why there will be none, is there within so many seconds."""
    return bool(ray.wait([reference], timeout=seconds)[0])


def _first_line(error: RayTaskError) -> str:
    """Of the exception on the node: Ray's text has its traceback."""
    return " ".join(str(error.cause).split())[:300]


def _nodes() -> list[dict]:
    return [node for node in ray.nodes() if node["Alive"]]


def _survey(workdir: pathlib.Path) -> None:
    """UserError unless every node has this code, these versions, and this workdir."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    token = workdir / f".shared-{uuid.uuid4().hex}"
    workdir.mkdir(parents=True, exist_ok=True)
    token.touch()
    try:
        asked = []
        for node in _nodes():
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            survey = _SURVEY.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
            answer = survey.remote(os.getcwd(), str(workdir), token.name, versions)
            asked.append((node["NodeManagerAddress"], answer))
        for address, answer in asked:
            if problem := _answer(answer):
                raise UserError(f"node {address} {problem}")
    finally:
        token.unlink(missing_ok=True)


def _answer(reference: ray.ObjectRef) -> str:
    try:
        return ray.get(reference, timeout=_SURVEY_SECONDS)
    except GetTimeoutError:
        return f"gave no answer in {_SURVEY_SECONDS:.0f} s; is it well, and free?"
    except RayError as error:
        return f"cannot be used: {' '.join(str(error).split())[:300]}"


def _init(address: str, jobs: int | None) -> None:
    """Connects, or starts a cluster of this process alone, without a dashboard."""
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    here = {}
    if address == "local":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        here = {
            "num_cpus": max(cores, jobs or 1),  # More runs than cores share them, as local ones do.
            "include_dashboard": False,
            "object_store_memory": 100_000_000,
        }
    # Ray takes the signals that a command answers by saving.
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(address, **quiet, **here)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"--address={address}: no cluster to work with ({reason}); start one with `ray start --head`, or give "
            "--address=local"
        ) from None
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def connected(address: str, jobs: int | None, workdir: pathlib.Path) -> Iterator[Cluster]:
    """A cluster, for as long as the block lasts; jobs: None for one a node."""
    _init(address, jobs)
    try:
        _survey(workdir)
        found = [(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in _nodes()]
        jobs = jobs or usual_jobs(found)
        yield Cluster(jobs, share(found, jobs))
    except ConnectionError as error:
        if not address.startswith("ray://"):
            raise
        raise Interrupted(f"--address={address} is lost ({error}); the same command continues") from None
    finally:
        ray.shutdown()
