"""Who hears what the making of a data set does; needs no torch."""


class DataListener:
    """Hears what a job does; this base class ignores it."""

    def stage(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are over."""

    def part(self, done: int, total: int, accepted: int | None = None) -> None:
        """Some more objects are made; `accepted` interactions in all, if hands are made."""

    def said(self, message: str) -> None:
        """Something worth a line."""
