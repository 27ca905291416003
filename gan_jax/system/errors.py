"""Errors that a command reports to its user as one line, and the exit code of each."""


class UserError(Exception):
    """Wrong usage or config: the message says what is wrong and what to type instead."""

    exit_code = 2


class TrainingFailed(UserError):
    """Training diverged: a loss is not finite."""

    exit_code = 3
    status = "diverged"


class Collapsed(TrainingFailed):
    """One player has won completely, so that the other one cannot learn any more."""

    status = "collapsed"


class DataUnavailable(UserError):
    """The data is not available, or it is damaged."""

    exit_code = 4


class NotOnThisMachine(DataUnavailable):
    """The data set is not on this machine and cannot be downloaded. Only for this error is there a fallback."""


class Interrupted(UserError):
    """A signal stopped the run, and the run was saved. The same command continues it."""

    exit_code = 75


class InUse(UserError):
    """Another process trains in the same workdir. The same command works later."""

    exit_code = 75


class HostLost(UserError):
    """Another process of the same run has ended. The same commands continue the run."""

    exit_code = 75


class DiskFull(UserError):
    """The disk is full. After space is freed, the same command continues the run."""

    exit_code = 75


class WorkerLost(UserError):
    """A process that reads images has ended. The same command continues from the last checkpoint."""

    exit_code = 75


def out_of_memory(error: Exception) -> bool:
    """Whether NumPy, or JAX on any device, could not allocate an array."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
