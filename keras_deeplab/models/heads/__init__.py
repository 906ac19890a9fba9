"""Heads: builder functions from backbone features to class scores."""
