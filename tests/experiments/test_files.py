"""Experiment files: what is wrong in them is said, all at once."""

import pytest

from marrowsim.config.load import scenario_text
from marrowsim.errors import ExperimentError
from marrowsim.experiments import CLAIMS, load_experiment
from marrowsim.experiments.files import arm_configs, flat


def words(error):
    return "\n".join(str(fault) for fault in error.value.faults)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("bounded", [False, True])
def test_bundled_experiments_can_be_run(name, bounded):
    source = load_experiment(name)
    assert source.experiment.id == name
    assert list(arm_configs(source, bounded=bounded, seed=3)) == list(source.experiment.arms)


def test_arms_win_over_the_quick_form_and_that_over_the_experiment(tiny):
    source = load_experiment(tiny(('label = "with CXCL12"', 'label = "with CXCL12"\nset.time.step = "30 min"')))
    full, bounded = (arm_configs(source, bounded=form, seed=7) for form in (False, True))
    assert (full["with"].time.duration, bounded["with"].time.duration) == (2880, 1440)
    assert (bounded["with"].time.step, bounded["blocked"].time.step) == (30, 60)
    assert bounded["blocked"].knockouts == ["CXCR4"] and bounded["blocked"].cells["tumour"].cxcr4 == 0
    assert full["without"].seed == 7


def test_nested_tables_are_dotted_keys():
    assert flat({"a": {"b": {"c": 1}, "d": [{"e": 2}]}}) == {"a.b.c": 1, "a.d": [{"e": 2}]}


def test_every_fault_at_once(tiny):
    path = tiny(
        ('id = "tiny"', 'id = "tiny"\ncolour = "red"'),
        ('to = "without"\nexpected', 'to = "witout"\nexpected'),
        ('of = "blocked"', 'of = "blocked"\nfull = "with"'),
        ('readout = "cells"\nof = "with"', 'readout = "cell"\nof = "with"'),
        ('measure = "cells"\noptions = { cell = "tumour" }\nat', 'measure = "cels"\noptions = {}\nat'),
        ("{ above = 1.0 }", "{ above = 1.0, below = 2.0 }"),
        ('kind = "ratio"\nreadout = "cells"\nof = "blocked"', 'kind = "rato"\nreadout = "cells"\nof = "blocked"'),
    )
    with pytest.raises(ExperimentError) as error:
        load_experiment(path)
    text = words(error)
    for part in ("colour", "did you mean 'without'?", "did you mean 'cells'?", "cels", "not one condition", "rato"):
        assert part in text
    assert f"{path}:5" in text


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('options = { cell = "tumour" }\n\n', "options = {}\n\n", "a value is missing"),
        ('{ cell = "tumour" }\n\n', '{ cell = "tumour", tissue = "marow" }\n\n', "did you mean 'marrow'?"),
        ('{ cell = "tumour" }\n\n', '{ cel = "tumour" }\n\n', "did you mean 'cell'?"),
        ('name = "early"', 'name = "cells"', "two readouts of one name"),
        ("supports = { within = [0.9, 1.1] }", "supports = { within = [0.9] }", "within"),
        ('to = "without"\nsupports', "supports", "an arm to compare with is missing"),
        ("replicates = 3", "replicates = 1", "out of bounds"),
        ('scenario = "culture"\n', "", "a value is missing"),
        ('id = "tiny"', 'id = "../tiny"', "id"),
        ("within = [0.9, 1.1]", "within = [1.1, 0.9]", "the other way round"),
        ("expected = [1.0, 3.0]", "expected = [3.0, 1.0]", "the other way round"),
        ("[arms.blocked]", '[arms."../blocked"]\n[arms.blocked]', "the name of an arm"),
        ('of = "with"', 'of = "without"', "compared with itself"),
        ("[arms.without]", "[arms.without]\nset.seed = 7", "the seeds are those of the replicates"),
        ("[set]", "[set]\nseed = 7", "the seeds are those of the replicates"),
        ("[arms.without]", '[arms.without]\nset.knockouts = ["CXCR4"]', "knockouts stand beside set"),
    ],
)
def test_single_faults(tiny, old, new, part):
    with pytest.raises(ExperimentError) as error:
        load_experiment(tiny((old, new)))
    assert part in words(error)


def test_arrows_are_switched_off_besides_those_of_the_scenario(tiny, tmp_path):
    (tmp_path / "own.toml").write_text('knockouts = ["CXCL12->growth"]\n' + scenario_text("culture")[0])
    path = tiny(('scenario = "culture"', 'scenario = "own.toml"'))
    configs = arm_configs(load_experiment(path), bounded=False, seed=1)
    assert {name: set(config.knockouts) for name, config in configs.items()} == {
        "with": {"CXCL12->growth"}, "without": {"CXCL12->growth"}, "blocked": {"CXCL12->growth", "CXCR4"}
    }  # fmt: skip


def test_rules_that_cannot_support_are_refused(tiny):
    changes = ("supports = { above = 1.0 }\n", ""), ("supports = { within = [0.9, 1.1] }\n", "")
    with pytest.raises(ExperimentError, match="no rule can support"):
        load_experiment(tiny(*changes))


def test_faults_of_scenarios_name_the_arm(tiny):
    path = tiny(
        ('knockouts = ["CXCR4"]', 'knockouts = ["CXCR5"]'),
        ('held_at = "0 nM"', 'held_at = "0 mmHg"'),
        ('at = "12 h"', 'at = "3 d"'),
        ('{ cell = "tumour" }\nat', '{ cell = "tumor" }\nat'),
    )
    with pytest.raises(ExperimentError) as error:
        arm_configs(load_experiment(path), bounded=False, seed=1)
    text = words(error)
    for part in ("arm blocked", "did you mean 'CXCR4'?", "arm without", "after the end", "did you mean 'tumour'?"):
        assert part in text


def test_a_column_that_no_run_can_have_is_refused(tiny):
    column = 'name = "cells"\nmeasure = "column"\noptions = { column = "tumour in marow (cells)" }\n\n'
    path = tiny(('name = "cells"\nunit = "cells"\nmeasure = "cells"\noptions = { cell = "tumour" }\n\n', column))
    with pytest.raises(ExperimentError) as error:
        arm_configs(load_experiment(path), bounded=False, seed=1)
    assert "did you mean 'tumour in marrow (cells)'?" in words(error)


def test_unknown_names_and_files_that_are_no_experiment(tmp_path):
    with pytest.raises(ExperimentError, match="there is no such experiment"):
        load_experiment("S88")
    path = tmp_path / "bad.toml"
    path.write_text("id = ")
    with pytest.raises(ExperimentError, match="not valid TOML"):
        load_experiment(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ExperimentError, match="cannot be read"):
        load_experiment(path)


def test_scenarios_stand_beside_the_experiment(tiny, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text('title = "own"\n[geometry]\nkind = "dish"\n[vessels]\nsource = "none"\n')
    monkeypatch.chdir("/")
    path = tiny(('scenario = "culture"', 'scenario = "own.toml"'))
    assert arm_configs(load_experiment(path), bounded=False, seed=1)["with"].title == "own"
