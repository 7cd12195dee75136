"""Exact Euclidean distances on the lattice, in um, at four bytes a voxel."""

import numpy as np

from marrowsim.bone_morphometry import squared_distance


def distance_to(mask, spacing):
    """Distance from every voxel centre to the surface of the nearest voxel of `mask`.

    The surface of a voxel is taken half an edge from its centre, so a voxel that shares a face with
    the mask is at half a voxel edge.

    Parameters
    ----------
    mask : ndarray of bool, shape (nz, ny, nx)
    spacing : float
        Voxel edge (um).

    Returns
    -------
    ndarray of float32, shape (nz, ny, nx)
        um; 0 in the mask, infinite everywhere where the mask is empty.
    """
    squared = squared_distance(mask)
    distance = squared.view(np.float32)
    if not np.any(mask):
        distance[...] = np.inf
        return distance
    for plane, whole in zip(distance, squared, strict=True):
        plane[...] = surface_distance(whole, spacing)
    return distance


def surface_distance(squared, spacing):
    """Distance (um, float32) to the surface of a voxel from squared distances between centres (voxels)."""
    distance = np.sqrt(squared, dtype=np.float32)
    distance -= np.float32(0.5)
    distance *= np.float32(spacing)
    return np.maximum(distance, 0, out=distance)
