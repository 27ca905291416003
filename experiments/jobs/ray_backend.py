"""Runs on the nodes of a Ray cluster: one actor per run, which starts the same process as the local backend.

Ray places the actors and reports their deaths. Records are written to the workdir, which all nodes share.
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
from gan_jax.system import parts
from gan_jax.system.errors import Interrupted, UserError

RETRIES = 3  # of a run whose worker died
_DIED = -9
_ANSWER_SECONDS = 10.0  # time for a worker to answer a stop request
_SURVEY_SECONDS = 120.0
_VISIBLE_SECONDS = 60.0  # time until a node's file is visible here: network file systems cache missing files
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
_FORWARDED = ("JAX_", "XLA_", "OMP_", "OPENBLAS_", "MKL_", "TF_")

# The code is sent to the nodes: a node without a checkout could not import it, and so could not report the missing one.
for module in (on_node, locks):
    ray.cloudpickle.register_pickle_by_value(module)
_WORKER = ray.remote(on_node.Worker)
_SURVEY = ray.remote(on_node.survey)


class _Remote(Child):
    """A run on a node of the cluster. If its worker dies, the run starts again."""

    def __init__(
        self, name: str, folder: pathlib.Path, command: list[str], share: Share, compiled: str, settings: dict
    ):
        super().__init__(name, folder)
        self._command, self._share, self._compiled, self._settings = command, share, compiled, settings
        self._deaths, self._visible_deadline = 0, None
        self._begin()

    def _begin(self) -> None:
        cores, gpus = self._share
        # max_concurrency: run, stop and location at the same time. max_restarts: Ray would not report its restarts.
        self._worker = _WORKER.options(num_cpus=cores, num_gpus=gpus, max_concurrency=3, max_restarts=0).remote()
        self._location, self._placed = None, self._worker.location.remote()
        self._ended = self._worker.run.remote(
            os.getcwd(), str(self.folder), self._command, cores, self._compiled, self._settings
        )

    def working(self) -> bool:
        if self._location is None and _ready(self._placed):
            self.start_time = time.monotonic()
            with contextlib.suppress(RayError):
                self._location = "{}, process {}".format(*ray.get(self._placed))
        return self._location is not None

    def code(self) -> int | None:
        """The worker's exit code, after the node's records have become visible on this machine."""
        if not _ready(self._ended):
            return None
        try:
            code, records = ray.get(self._ended)
        except RayTaskError as error:
            raise UserError(f"--workdir: {self.name} cannot be run: {_first_line(error)}") from None
        except RayError:
            return self._died()
        self._visible_deadline = self._visible_deadline or time.monotonic() + _VISIBLE_SECONDS
        visible = all(map(os.path.exists, records)) or time.monotonic() > self._visible_deadline
        return code if visible else None

    def _died(self) -> int | None:
        self._deaths += 1
        location = self._location or "before it began"
        if self._deaths > RETRIES:
            return _DIED
        print(f"{self.name}: its worker died ({location}); try {self._deaths} of {RETRIES} begins", flush=True)
        self._begin()
        return None

    def last_line(self) -> str:
        return f"its worker died {self._deaths} times" if self._deaths > RETRIES else super().last_line()

    def stop(self) -> None:
        self._stop_answer, self._stop_time = self._worker.stop.remote(), time.monotonic()

    def wait(self) -> None:
        """Waits until the run has saved. A worker that still waits for a node cannot answer; it is killed."""
        seconds_left = self._stop_time + _ANSWER_SECONDS - time.monotonic()
        if not _ready(self._stop_answer, max(seconds_left, 0)):
            return self.kill()
        while not _ready(self._ended, 1):
            pass
        return None

    def kill(self) -> None:
        """Ends the worker and its process on the node."""
        ray.kill(self._worker)

    def close(self) -> None:
        ray.kill(self._worker)


class Cluster:
    """The backend of a Ray cluster."""

    def __init__(self, jobs: int, share: Share):
        self.jobs, self._share = jobs, share

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        forwarded = {name: value for name, value in os.environ.items() if name.startswith(_FORWARDED)}
        self._settings = settings(self.jobs) | forwarded | parts.environment()
        self._compiled = str(workdir.absolute() / ".cache")

    def start(self, name: str, folder: pathlib.Path, command: list[str]) -> Child:
        return _Remote(name, folder, command, self._share, self._compiled, self._settings)


def _ready(reference: ray.ObjectRef, seconds: float = 0) -> bool:
    """Whether a result or an error has arrived within `seconds`."""
    return bool(ray.wait([reference], timeout=seconds)[0])


def _first_line(error: RayTaskError) -> str:
    """The message of the exception on the node, without Ray's traceback."""
    return " ".join(str(error.cause).split())[:300]


def _nodes() -> list[dict]:
    return [node for node in ray.nodes() if node["Alive"]]


def _survey(workdir: pathlib.Path) -> None:
    """UserError unless every node has this code, these package versions and this workdir."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    token = workdir / f".shared-{uuid.uuid4().hex}"
    workdir.mkdir(parents=True, exist_ok=True)
    token.touch()
    try:
        answers = []
        for node in _nodes():
            on_this_node = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            survey = _SURVEY.options(num_cpus=0, max_retries=0, scheduling_strategy=on_this_node)
            answer = survey.remote(os.getcwd(), str(workdir), token.name, versions)
            answers.append((node["NodeManagerAddress"], answer))
        for address, answer in answers:
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
    """Connects to a cluster, or starts one of this process alone, without a dashboard."""
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    local_options = {}
    if address == "local":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        local_options = {
            "num_cpus": max(cores, jobs or 1),  # If there are more runs than cores, runs share cores.
            "include_dashboard": False,
            "object_store_memory": 100_000_000,
        }
    # Ray replaces the signal handlers by which a command saves; they are restored below.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(address, **quiet, **local_options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"--address={address}: no cluster to work with ({reason}); start one with `ray start --head`, or give "
            "--address=local"
        ) from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def connected(address: str, jobs: int | None, workdir: pathlib.Path) -> Iterator[Cluster]:
    """A connection to a cluster, for the duration of the block. jobs: None for one per node."""
    _init(address, jobs)
    try:
        _survey(workdir)
        resources = [(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in _nodes()]
        jobs = jobs or usual_jobs(resources)
        yield Cluster(jobs, share(resources, jobs))
    except ConnectionError as error:
        if not address.startswith("ray://"):
            raise
        raise Interrupted(f"--address={address} is lost ({error}); the same command continues") from None
    finally:
        ray.shutdown()
