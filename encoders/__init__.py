"""Encoders: one modality to tokens, one file per family."""
