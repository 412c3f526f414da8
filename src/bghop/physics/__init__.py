"""Can the hands hold the object? Force balance without simulation, and the simulated hold test."""
