"""What a training run needs besides `model.fit`: its folder, checkpoints, watchers."""
