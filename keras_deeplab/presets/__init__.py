"""Facts as frozen rows: networks, datasets and public weights. Standard library only."""
