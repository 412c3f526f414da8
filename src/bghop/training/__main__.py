"""`python -m bghop.training`: training on a machine that has torch, numpy, safetensors and pyarrow.

The same as `bghop train`, without the packages of the command line. Settings are a JSON file, or
options; the same command goes on after an interruption. With several processes:

    torchrun --nproc-per-node 8 -m bghop.training prior --config prior.json --out RUN
"""

import sys

from bghop.bare import allow_missing_jaxtyping

if __name__ == "__main__":
    allow_missing_jaxtyping()
    from bghop.training.bare_command import main

    sys.exit(main())
