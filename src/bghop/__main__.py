"""`python -m bghop`."""

import sys

from bghop.cli import main

sys.exit(main())
