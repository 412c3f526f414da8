"""Jobs: inputs to the files of a result folder, safely and resumably."""
