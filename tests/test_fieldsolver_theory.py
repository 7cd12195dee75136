"""The field solver against closed forms: point, plane and instantaneous sources, zero-order uptake."""

import math

import numpy as np
import pytest

import marrowsim.fieldsolver as fields

SPACING = 10.0


def decay_for(length, diffusivity=300.0):
    """Decay rate (1/min) that gives a decay length in voxels."""
    return diffusivity / (length * SPACING) ** 2


def test_point_source_lattice_and_continuum(record_property):
    n, length, diffusivity, strength = 81, 6.0, 300.0, 6.0
    source = np.zeros((n, n, n), np.float32)
    source[n // 2, n // 2, n // 2] = strength
    decay = decay_for(length)
    c = fields.steady_field(source >= 0, source, diffusivity=diffusivity, decay=decay, spacing=SPACING, cycles=6)

    # Lattice Green's function by Fourier sums over a periodic lattice of 20 decay lengths.
    m = 120
    wave = 2 - 2 * np.cos(2 * np.pi * np.arange(m) / m)
    symbol = diffusivity / SPACING**2 * (wave[:, None, None] + wave[:, None] + wave[: m // 2 + 1]) + decay
    green = np.fft.irfftn(strength / symbol, (m, m, m), axes=(0, 1, 2))
    half = n // 2
    corner = c[half:, half:, half:].astype(float)
    z, y, x = np.mgrid[: half + 1, : half + 1, : half + 1]
    r = np.sqrt(z**2 + y**2 + x**2)
    near = r <= 15
    from_green = np.abs(corner / green[: half + 1, : half + 1, : half + 1] - 1)[near].max()
    assert from_green < 1e-3

    q = strength * SPACING**3
    with np.errstate(divide="ignore"):
        continuum = q / (4 * np.pi * diffusivity * r * SPACING) * np.exp(-r / length)
    far = (r >= 5) & (r <= n / 3)
    from_continuum = np.abs(corner / continuum - 1)[far].max()
    record_property("Closed forms", f"A1 | lattice {from_green:.1e}, continuum {from_continuum:.1%}")
    assert from_continuum < 0.05


@pytest.mark.parametrize("length", [2.0, 4.0, 4.5])
def test_plane_source_decay_length(length, record_property):
    source = np.zeros((2, 3, 160), np.float32)
    source[:, :, 0] = 1.0
    c = fields.steady_field(source >= 0, source, diffusivity=300.0, decay=decay_for(length), spacing=SPACING, cycles=20)
    x = np.arange(1, int(6 * length))
    slope = np.polyfit(x, np.log(c[0, 0, x].astype(float)), 1)[0]
    lattice = 1 / math.acosh(1 + 1 / (2 * length**2))
    record_property("Closed forms", f"A2 | length {length}: {abs(-1 / slope / lattice - 1):.0e} off the lattice's")
    assert -1 / slope == pytest.approx(lattice, rel=1e-6)
    assert -1 / slope == pytest.approx(length, rel=0.02)


def test_instantaneous_source_spreads_and_keeps_its_mass(record_property):
    n, diffusivity, step, steps = 49, 300.0, 0.25, 20
    solver = fields.FieldSolver(np.ones((n, n, n)), SPACING, diffusivity)
    c = np.zeros((n, n, n), np.float32)
    c[n // 2, n // 2, n // 2] = 1.0
    nothing = np.zeros_like(c)
    for _ in range(steps):
        report = solver.solve(c, nothing, 0.0, time_step=step, cycles=6)
        assert abs(report.mass_balance) < 1e-7
    mass = c.sum(dtype=float)
    r2 = sum((axis - n // 2) ** 2 for axis in np.mgrid[:n, :n, :n]) * SPACING**2
    variance, expected = (r2 * c).sum(dtype=float) / mass, 6 * diffusivity * step * steps
    off = abs(variance / expected - 1)
    record_property("Closed forms", f"A3 | variance {off:.2%} off, mass {abs(mass - 1) / steps:.0e} a step")
    assert variance == pytest.approx(expected, rel=0.01)
    # Values are kept with 24 bits, 6e-8 of each: that, and not 1e-10, is what a step can conserve.
    assert mass == pytest.approx(1.0, abs=steps * 6e-8)


def test_krogh_cylinder(record_property):
    h, radius, tissue, q, diffusivity, pressure = 2.5, 15.0, 100.0, 240.0, 1.2e5, 40.0
    n = 83
    y, x = (np.mgrid[:n, :n] - n // 2) * h
    r = np.hypot(y, x)[None]
    relative = (r < tissue).astype(np.float32)
    vessel = r < radius
    exchange = np.where(vessel, 1e7, 0.0).astype(np.float32)
    uptake = np.where(vessel, 0, q).astype(np.float32)
    c = fields.steady_field(
        relative > 0,
        exchange * pressure,
        diffusivity=diffusivity,
        decay=exchange,
        spacing=h,
        uptake=uptake * relative,
        half_saturation=0.01,
        field=relative * pressure,
    )
    wall = math.sqrt(vessel.sum() * h**2 / math.pi)
    outer = math.sqrt((relative > 0).sum() * h**2 / math.pi)
    ring = (relative > 0) & ~vessel
    krogh = pressure + q * (r**2 - wall**2) / (4 * diffusivity)
    krogh = krogh - q * outer**2 / (2 * diffusivity) * np.log(np.maximum(r, h) / wall)
    assert c[ring].min() > 1.0
    error = np.linalg.norm(c[ring] - krogh[ring]) / np.linalg.norm(krogh[ring])
    record_property("Closed forms", f"A4 | {error:.1%}")
    assert error < 0.03


@pytest.mark.parametrize(("pressure", "q"), [(40, 240), (20, 240), (20, 900), (40, 900)])
def test_slab_penetration(pressure, q, record_property):
    expected = math.sqrt(2 * 1.2e5 * pressure / q)
    shape = (2, 2, 48)
    bath = np.zeros(shape, np.float32)
    bath[:, :, 0] = 1e6
    uptake = np.where(bath > 0, 0, q).astype(np.float32)
    c = fields.steady_field(
        bath >= 0,
        bath * pressure,
        diffusivity=1.2e5,
        decay=bath,
        spacing=SPACING,
        uptake=uptake,
        half_saturation=0.01,
    )
    depth = SPACING * np.argmax(c[0, 0] < 0.01)
    record_property("Closed forms", f"A5 | {depth:.0f} um ({expected:.0f} um)")
    assert abs(depth - expected) <= SPACING
    assert c.min() >= 0


def test_anoxic_core_of_a_sphere(record_property):
    n, pressure, q = 37, 20.0, 900.0
    z, y, x = np.mgrid[:n, :n, :n] - n // 2
    r = np.sqrt(z**2 + y**2 + x**2)
    onset = math.sqrt(6 * 1.2e5 * pressure / q) / SPACING
    assert onset == pytest.approx(12.6, abs=0.1)
    cores = []
    for radius in np.arange(10.6, 15.6):
        bath = np.where(r > radius, 1e6, 0).astype(np.float32)
        uptake = np.where(r > radius, 0, q).astype(np.float32)
        c = fields.steady_field(
            r >= 0,
            bath * pressure,
            diffusivity=1.2e5,
            decay=bath,
            spacing=SPACING,
            uptake=uptake,
            half_saturation=0.01,
            field=np.full(r.shape, pressure),
        )
        cores.append(c[n // 2, n // 2, n // 2] < 0.05)
    first = 10.6 + np.argmax(cores)
    record_property("Closed forms", f"A6 | {first * SPACING:.0f} um ({onset * SPACING:.0f} um)")
    assert abs(first - onset) <= 1.5
