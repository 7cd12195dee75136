"""Bone, vessels and cells of a simulation at time zero: read from images or generated."""
