"""Presets as frozen dataclasses: networks, datasets, public weights. Standard library only."""
