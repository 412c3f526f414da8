"""What `bghop data check` is told; needs no torch."""

from dataclasses import dataclass
from pathlib import Path

from bghop.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class CheckDataJob:
    """A data set to look at."""

    folder: Path
    """With records.parquet and objects.parquet."""
    out: Path | None = None
    """Folder of the report; None: `check` in the data set's."""
    mano: Path | None = None
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl; None: hands of that model are not measured."""
    sample: int = 2000
    """Records that are measured, at random; 0: all."""
    seed: int = 0
    """Of what is drawn at random."""
    pictures: bool = True

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.folder / "check" if self.out is None else self.out


def check_check_options(job: CheckDataJob) -> None:
    """Refuse what cannot be done.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    if not 0 <= job.sample <= 10**9:
        raise OptionError(f"--sample {job.sample} is out of range: use 1 or more, or 0 for all")
    if not 0 <= job.seed < 2**62:
        raise OptionError(f"--seed {job.seed} is out of range: use 0 to {2**62}")
