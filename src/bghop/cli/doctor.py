"""`bghop doctor`: what works on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bghop.errors import BghopError


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Say what is installed and whether hands, device and pictures work."""

    mano: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the official MANO files; the variable BGHOP_MANO if not given."""
    json: bool = False
    """Print one JSON object on stdout."""

    def run(self) -> int:
        """Runs all checks; 0 if grasps can be made."""
        from bghop.jobs.doctor import examine

        checks = examine(self.mano)
        if self.json:
            print(json.dumps({"checks": [check.to_json() for check in checks]}))
        else:
            for check in checks:
                mark = "ok" if check.works else ("FAIL" if check.essential else "no")
                print(f"{mark:>4}  {check.name:<10} {check.detail}")
        broken = [check for check in checks if check.essential and not check.works]
        if broken:
            words = "; ".join(f"{check.name}: {check.detail}" for check in broken)
            msg = f"this installation is not complete: {words}"
            raise BghopError(msg)
        return 0
