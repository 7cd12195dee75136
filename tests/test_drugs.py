"""Drugs: the Bateman function for any step, conservation of mass, what they inhibit, and dose schedules."""

import numpy as np
import pytest
from scipy import linalg

from marrowsim.config import load_config
from marrowsim.config.pharmacology import Dose
from marrowsim.processes import PROCESSES, Clock
from marrowsim.readouts import measure_readouts

HALF_LIVES = {
    "usual": ("10 min", "4 h"),
    "equal": ("2 h", "2 h"),
    "nearly equal": ("2 h", "2.0001 h"),
    "flip": ("6 h", "1 h"),
}
SCHEDULE = [
    {"drug": "plerixafor", "amount": "0.24 mg/kg", "at": "31 min", "every": "6 h", "count": 3},
    {"drug": "plerixafor_mouse", "amount": "5 mg/kg", "at": "30 min"},
]


def dosed_state(make_state, doses, overrides=None):
    return make_state((4, 4, 4), overrides={"dose": doses, "time.duration": "5 d", **(overrides or {})})


def give(state, dt, minutes):
    """The step after which the given time has passed, with the level of every step."""
    drugs, levels = state.config.processes["drugs"], []
    for step in range(round(minutes / dt)):
        drugs.update(state, Clock(step, dt, 1, 1))
        levels.append(state.records["drugs/level"].copy())
    return np.array(levels)


def bateman(amount, minutes, absorption, elimination):
    """Amounts in the depot and in the body after one dose."""
    t = max(minutes, 0.0) * (minutes >= 0)
    if absorption == elimination:
        body = absorption * t * np.exp(-absorption * t)
    else:
        slower, apart = min(absorption, elimination), abs(absorption - elimination)
        body = absorption / apart * np.exp(-slower * t) * -np.expm1(-apart * t)
    given = amount * (minutes >= 0)
    return given * np.exp(-absorption * t), given * body


@pytest.mark.parametrize("case", HALF_LIVES)
@pytest.mark.parametrize("dt", [0.5, 6.0, 36.0, 240.0])
def test_amounts_follow_the_bateman_function_for_any_step(make_state, case, dt):
    """Three doses, none of them at the beginning of a step."""
    absorbed, eliminated = HALF_LIVES[case]
    kinetics = {"drugs.plerixafor.absorption_half_life": absorbed, "drugs.plerixafor.elimination_half_life": eliminated}
    state = dosed_state(make_state, SCHEDULE[:1], kinetics)
    give(state, dt, 1440)
    drug = state.config.drugs["plerixafor"]
    rates = np.log(2) / drug.absorption_half_life, np.log(2) / drug.elimination_half_life
    depot, body = np.sum([bateman(0.24, 1440 - at, *rates) for at in (31, 391, 751)], axis=0)
    assert state.records["drugs/depot"][0] == pytest.approx(depot, rel=1e-10, abs=1e-300)
    assert state.records["drugs/body"][0] == pytest.approx(body, rel=1e-10)


@pytest.mark.parametrize("dt", [0.5, 6.0, 240.0])
def test_the_level_that_acts_is_the_mean_over_the_step(make_state, dt):
    """Means over steps sum up to the area under the curve, dose / (volume x rate), whatever the step."""
    state = dosed_state(make_state, SCHEDULE)
    levels = give(state, dt, 7200)
    for number, (name, amount) in enumerate((("plerixafor", 0.72), ("plerixafor_mouse", 5.0))):
        drug = state.config.drugs[name]
        area = drug.level(amount) / (np.log(2) / drug.elimination_half_life)
        assert levels[:, number].sum() * dt == pytest.approx(area, rel=1e-8)
        assert (levels >= 0).all()


@pytest.mark.parametrize("dt", [0.5, 6.0, 240.0])
def test_mass_is_conserved(make_state, dt):
    state = dosed_state(make_state, SCHEDULE)
    drugs = state.config.processes["drugs"]
    for step in range(round(1440 / dt)):
        drugs.update(state, Clock(step, dt, 1, 1))
        given, *rest = (state.records[f"drugs/{name}"] for name in ("given", "depot", "body", "eliminated"))
        np.testing.assert_allclose(sum(rest), given, rtol=1e-12)
    np.testing.assert_allclose(given, [0.72, 5.0])


def test_levels_of_man_and_mouse_are_those_of_the_sources(make_state):
    """0.24 mg/kg are 1.6 uM in man, at most after 0.5-1 h; 5 mg/kg are 15 uM in the mouse; above K_A for 16 h."""
    state = dosed_state(make_state, [*SCHEDULE[1:], {"drug": "plerixafor", "amount": "0.24 mg/kg"}])
    assert state.config.drugs["plerixafor"].level(0.24) == pytest.approx(1591, rel=1e-3)
    assert state.config.drugs["plerixafor_mouse"].level(5.0) == pytest.approx(15067, rel=1e-3)
    levels = give(state, 1.0, 1440)[:, state.config.dosed.index("plerixafor")]
    assert 30 <= levels.argmax() <= 60
    assert np.count_nonzero(levels > 100.0) / 60 == pytest.approx(16.0, abs=0.5)


def test_drugs_and_antagonist_raise_the_half_occupancy_together(make_state):
    """K_d (1 + A / K_A + sum of level / constant), the same for the constant antagonist and the drug."""
    constant = dosed_state(make_state, [], {"receptor.antagonist": "300 nM"})
    assert constant.half_occupancy == pytest.approx(16.0)
    state = dosed_state(
        make_state, SCHEDULE, {"receptor.antagonist": "300 nM", "drugs.plerixafor.inhibits.cxcr4": "50 nM"}
    )
    assert state.half_occupancy == constant.half_occupancy
    assert state.inhibition("cxcr4") == 0.0
    give(state, 6.0, 60)
    man, mouse = state.records["drugs/level"]
    assert state.inhibition("cxcr4") == pytest.approx(man / 50 + mouse / 100)
    assert state.half_occupancy == pytest.approx(4.0 * (1 + 3.0 + man / 50 + mouse / 100))


def test_without_doses_nothing_is_kept(make_state):
    state = dosed_state(make_state, [])
    give_nothing = state.hash()
    state.config.processes["drugs"].update(state, Clock(0, 6.0, 1, 1))
    assert state.records == {}
    assert state.hash() == give_nothing


def test_times_of_doses():
    def times(begin, end, **entry):
        changes = {"dose": [{"drug": "plerixafor", "amount": "80 ug/kg", **entry}], "time.duration": "10 d"}
        config = load_config("healthy", PROCESSES, changes)
        assert config.dose[0].amount == pytest.approx(0.08)
        return config.dose[0].times_within(begin, end)

    assert times(0, 1e4, at="1 h") == [60.0]
    assert times(60, 120, at="1 h") == [60.0]
    assert times(0, 60, at="1 h") == []
    assert times(0, 1e4, at="1 h", every="1 d", count=3) == [60.0, 1500.0, 2940.0]
    assert times(1500, 2940, at="1 h", every="1 d", count=3) == [1500.0]
    assert times(2941, 1e4, at="1 h", every="1 d", count=3) == []
    assert times(0, 3000, every="1 d") == [0.0, 1440.0, 2880.0]


def test_each_dose_falls_into_one_step():
    """Doses every 6 s from 7 min on, in steps of 6 min."""
    dose = Dose(drug="plerixafor", amount="1 mg/kg", at="7 min", every="0.1 min")
    found = [time for step in range(100) for time in dose.times_within(step * 6.0, (step + 1) * 6.0)]
    assert found == [7 + number * 0.1 for number in range(5930)]


def test_a_drug_is_data():
    """A scenario adds a drug like another, and changes its numbers."""
    slow = {"like": "plerixafor", "label": "depot form", "absorption_half_life": "12 h"}
    changes = {"drugs.slow": slow, "dose": [{"drug": "slow", "amount": "1 mg/kg"}]}
    config = load_config("healthy", PROCESSES, changes)
    assert config.dosed == ("slow",)
    assert config.drugs["slow"].absorption_half_life == 720.0
    assert config.drugs["slow"].inhibits == {"cxcr4": 100.0}
    assert load_config(config.resolved(), PROCESSES) == config


BONE_HALF_LIVES = {
    "usual": ("5 min", "1.87 h", "3650 d"),
    "equal": ("2 h", "2 h", "2 h"),
    "nearly equal": ("2 h", "2.0001 h", "2.0002 h"),
    "never": ("5 min", "2 h", "never"),
    "long": ("2.7 d", "28 d", "60 d"),
    "bone first": ("6 h", "4 h", "10 min"),
}


def chain(drug, amount, minutes):
    """Depot, body, bone, and the integrals of the latter two, by the exponential of a matrix."""
    a, e, b = (np.log(2) / t for t in (drug.absorption_half_life, drug.elimination_half_life, drug.bone_half_life))
    rates = np.zeros((5, 5))
    rates[[0, 1, 1], [0, 0, 1]] = -a, a, -e
    rates[[2, 2], [1, 2]] = drug.bone_share * e, -b
    rates[[3, 4], [1, 2]] = 1.0
    return linalg.expm(rates * minutes)[:, 0] * amount


@pytest.mark.parametrize("case", BONE_HALF_LIVES)
@pytest.mark.parametrize("dt", [0.5, 6.0, 240.0])
def test_what_binds_to_bone_follows_the_matrix_exponential_for_any_step(make_state, case, dt):
    """One dose in the middle of a step; amounts, the mean levels that act, and the mass balance."""
    names = ("absorption_half_life", "elimination_half_life", "bone_half_life")
    changes = {f"drugs.zoledronate.{name}": text for name, text in zip(names, BONE_HALF_LIVES[case], strict=True)}
    doses = [{"drug": "zoledronate", "amount": "0.1 mg/kg", "at": "31 min"}, SCHEDULE[1]]
    state = dosed_state(make_state, doses, changes)
    levels = give(state, dt, 1440)
    number = state.config.dosed.index("zoledronate")
    drug = state.config.drugs["zoledronate"]
    depot, body, bone, _, area = chain(drug, 0.1, 1440 - 31)
    for account, expected in (("depot", depot), ("body", body), ("bone", bone)):
        assert state.records[f"drugs/{account}"][number] == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert levels[:, number].sum() * dt == pytest.approx(drug.bone_level(area), rel=1e-9)
    given, *rest = (state.records[f"drugs/{name}"] for name in ("given", "depot", "body", "bone", "eliminated"))
    np.testing.assert_allclose(sum(rest), given, rtol=1e-12)
    assert state.records["drugs/bone"][1 - number] == 0.0


def test_a_bisphosphonate_acts_long_after_it_has_left_the_blood(make_state):
    """4 mg in 70 kg: three quarters of the osteoclasts' life, from the first day to the last of two months."""
    dose = {"drug": "zoledronate", "amount": f"{4 / 70} mg/kg"}
    state = dosed_state(make_state, [dose], {"time.duration": "60 d"})
    drugs, inhibition = state.config.processes["drugs"], []
    for step in range(60 * 6):
        drugs.update(state, Clock(step, 240.0, 1, 1))
        inhibition.append(state.inhibition("osteoclast survival"))
    row = measure_readouts(state)
    assert row["zoledronate (nM)"] < 1e-6
    assert 1 / (1 + inhibition[6]) == pytest.approx(0.25, abs=0.03)
    assert inhibition[-1] == pytest.approx(inhibition[6], rel=0.02)
    assert row["zoledronate in bone (nM)"] == pytest.approx(1000 * inhibition[-1], rel=1e-3)
    assert state.inhibition("rankl") == state.inhibition("cxcr4") == 0.0


def test_an_antibody_has_the_levels_of_its_label(make_state):
    """Denosumab, 120 mg every 4 weeks in 70 kg: a trough of 20.6 ug/mL in the long run; RANKL is blocked all along."""
    dose = {"drug": "denosumab", "amount": f"{120 / 70} mg/kg", "every": "28 d"}
    state = dosed_state(make_state, [dose], {"time.duration": "300 d"})
    levels = give(state, 240.0, 280 * 1440)[:, 0]
    assert levels[-1] * 147000 * 1e-6 == pytest.approx(20.6, rel=0.05)
    assert state.inhibition("rankl") == pytest.approx(levels[-1])
    first = levels[: 28 * 6]
    assert 7 <= first.argmax() / 6 <= 14
    assert 1 / (1 + first[6 * 2 :].min()) < 0.03


def test_opg_blocks_its_target_by_the_dose(make_state):
    """25 mg/kg three times a week leaves 1 % of the signal at most; a hundredth of that leaves a fifth to a half."""

    def left(amount):
        dose = {"drug": "opg_mouse", "amount": amount, "every": "56 h"}
        state = dosed_state(make_state, [dose], {"time.duration": "21 d"})
        return 1 / (1 + give(state, 60.0, 21 * 1440)[14 * 24 :, 0] / 10)

    assert left("25 mg/kg").max() < 0.01
    assert 0.15 < left("0.25 mg/kg").mean() < 0.5


def ascent(make_state, doses, overrides=None):
    """How far (um, with standard error) osteoclast precursors get in a day up a gradient of CXCL12, and their sites."""
    shape = (16, 16, 60)
    start = np.ravel_multi_index([grid.ravel() for grid in np.meshgrid(range(16), range(16), [9, 10])], shape)
    changes = {"dose": doses, "time.step": "6 min", "time.duration": "1 d", **(overrides or {})}
    state = make_state(shape, {"ocp": start}, overrides=changes)
    state.fields["cxcl12"][...] = np.linspace(0.0, 8.0, 60, dtype=np.float32)
    drugs, motility = (state.config.processes[name] for name in ("drugs", "motility"))
    for step in range(240):
        drugs.update(state, Clock(step, 6.0, 1, 1))
        motility.update(state, Clock(step, 6.0, 1, 1))
    sites = state.cells.site[np.argsort(state.cells.id)]
    moved = (sites % 60 - 9.5) * 10.0
    return moved.mean(), moved.std() / np.sqrt(len(moved)), sites


def test_the_antagonist_takes_cxcl12_from_osteoclast_precursors(make_state):
    """They climb without it, not to speak of with it; without CXCR4 the drug changes nothing at all."""
    dose = [{"drug": "plerixafor", "amount": "0.24 mg/kg", "every": "8 h"}]
    free, error, _ = ascent(make_state, [])
    drugged, other, _ = ascent(make_state, dose)
    assert free > 5 * error
    assert free - drugged > 4 * np.hypot(error, other)
    assert abs(drugged) < free / 3 + 2 * other
    without = {"cells.ocp.cxcr4": 0.0}
    np.testing.assert_array_equal(ascent(make_state, dose, without)[2], ascent(make_state, [], without)[2])
