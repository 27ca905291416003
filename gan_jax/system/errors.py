"""Mistakes and conditions that a user sees as one line, with the exit code of each."""


class UserError(Exception):
    """Wrong usage or config: the message says what is wrong and what to type instead."""

    exit_code = 2


class TrainingFailed(UserError):
    """Training diverged: a loss is not finite."""

    exit_code = 3
    status = "diverged"


class Collapsed(TrainingFailed):
    """One player has won for good: the other learns nothing more."""

    status = "collapsed"


class DataUnavailable(UserError):
    """The data cannot be had, or is damaged."""

    exit_code = 4


class Interrupted(UserError):
    """Stopped by a signal, and saved: the same command continues."""

    exit_code = 75


class InUse(UserError):
    """Another process is at it: the same command works later."""

    exit_code = 75


class HostLost(UserError):
    """Another process of the same run has ended: the same commands continue."""

    exit_code = 75


class DiskFull(UserError):
    """Nothing more can be written: with space freed, the same command continues."""

    exit_code = 75


class WorkerLost(UserError):
    """A process that reads images has ended: the same command continues from the last checkpoint."""

    exit_code = 75
