"""The errors that lossdiff raises.

The message of each is one line that explains what is wrong. The command line prints it and ends
with the exit status that `_cli.status` gives to the class.

- LossdiffError
  - InputError
    · RunFileError
    · CaseFileError
    · UserFileError
    · DeclarationError
    · DefinitionError
    · OutputError
    · ExpectedError
  - CallError
    · ArgumentTypeError
    · ArgumentValueError
    · NoAnswerError
  - RequirementError
    · FrameworkAbsentError
    · OnnxError
    · BenchError
    · ClusterError
    · DeviceAbsentError
  - ReproError
    · NothingToShowError
    · SessionError
    · SourceError
  - InternalError
    · LostError
    · LeftOutError
    · ExhaustedError
    · StreamError
    · SchemaError

`ConventionWarning` is no error, and is no part of the tree.
"""

from __future__ import annotations


class LossdiffError(Exception):
    """Base class of every error that lossdiff raises on purpose."""


class ConventionWarning(UserWarning):
    """Issued when a user's function follows a convention that its framework does not."""


class InputError(LossdiffError):
    """Base class of the errors that are raised when a file of the user's cannot be used."""


class RunFileError(InputError):
    """Raised when a run file is missing, damaged, of another format, or cannot be written."""


class CaseFileError(InputError):
    """Raised when a case file is missing, damaged, or does not describe a case."""


class UserFileError(InputError):
    """Raised when a user's file or module of implementations cannot be used."""

    def __init__(self, message: str, traceback: str = "") -> None:
        """Take the line that explains what is wrong.

        Args:
            message: the line.
            traceback: the traceback of the user's own error, in lines; empty if there is none.
        """
        super().__init__(message)
        self.traceback = traceback


class DeclarationError(InputError):
    """Raised when what is said of a user's function names something that does not exist."""


class DefinitionError(InputError):
    """Raised when the formula of a user's own operation cannot be computed, or is misnamed."""


class OutputError(InputError):
    """Raised when an output cannot be written, or would replace a file that is none of ours."""


class ExpectedError(InputError):
    """Raised when a file of expected findings cannot be read, or an entry is none."""


class CallError(LossdiffError):
    """Base class of the errors that are raised when a call in Python cannot be answered."""


class ArgumentTypeError(CallError, TypeError):
    """Raised when an argument is of a type that is not taken, or has another name."""


class ArgumentValueError(CallError, ValueError):
    """Raised when an argument has a value, a shape or a dtype that is not taken."""


class NoAnswerError(CallError):
    """Raised when a user's function does not answer one plain question; it shows the traceback."""


class RequirementError(LossdiffError):
    """Base class of the errors that are raised when a requirement of a run is missing."""


class FrameworkAbsentError(RequirementError):
    """Raised when a framework, or a package that a result needs, is not installed."""


class OnnxError(RequirementError):
    """Raised when onnx is not installed, or has no node cases where they are looked for."""


class BenchError(RequirementError):
    """Raised when pytest-benchmark is not installed, or one of its processes fails."""


class ClusterError(RequirementError):
    """Raised when a Dask cluster cannot be reached, has no workers, or loses a batch for good."""


class DeviceAbsentError(RequirementError):
    """Raised when a framework sees no device of the kind that was asked for."""


class ReproError(LossdiffError):
    """Base class of the errors that are raised when no script can be written for a finding."""


class NothingToShowError(ReproError):
    """Raised when a case has no finding, or when the finding does not come back."""


class SessionError(ReproError):
    """Raised when a framework is not installed, does not start, or answers only once."""


class SourceError(ReproError):
    """Raised when the source text of an implementation cannot be found."""


class InternalError(LossdiffError):
    """Base class of the errors that are always caught inside lossdiff."""


class LostError(InternalError):
    """Raised when a worker process ends without a reason: with status 0, or while it answers."""


class LeftOutError(InternalError):
    """Raised when the contract has no question for a node case of ONNX."""


class ExhaustedError(InternalError):
    """Raised when the time or the questions for shrinking a case have run out."""


class StreamError(InternalError):
    """Raised when nothing can be printed any more, in a command that does nothing else."""


class SchemaError(InternalError):
    """Raised when data from outside does not fit its schema; callers add the name of the file."""

    def __init__(self, where: str, reason: str = "") -> None:
        # `where` is the part that does not fit, such as `times[3]`, and empty for the whole.
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"{self.where} {self.reason}".strip()
