"""What flows ask for: the schema behind Prefect's forms, and wrong input, which ends a run with its message."""

import logging

import pytest
import torch
from prefect.utilities.callables import parameter_schema

from flows.backtest import backtest
from flows.batch_recommend import batch_recommend
from flows.form import ENGINE, TASK, answered, configured
from flows.ingest import ingest
from flows.monitor import monitor
from flows.retrain import retrain
from flows.train import train
from recsys.errors import InputError

FLOWS = [train, ingest, retrain, batch_recommend, monitor, backtest]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_field_is_explained_and_only_the_configuration_is_required(flow):
    schema = parameter_schema(flow)
    assert schema.required == ["config"]
    assert all(field["description"] for field in schema.properties.values())
    assert all("examples" in field or "default" in field for field in schema.properties.values())


def test_limits_stand_in_the_form():
    k = parameter_schema(batch_recommend).properties["k"]
    assert (k["type"], k["minimum"], k["maximum"], k["default"]) == ("integer", 1, 1000, 20)
    days = parameter_schema(monitor).properties["days"]
    assert (days["type"], days["minimum"], days["maximum"], days["default"]) == ("number", 0.01, 3650, 7)


@pytest.mark.parametrize(
    ("flow", "wrong"),
    [
        (monitor, {"days": 0}),
        (batch_recommend, {"k": 1001}),
        (batch_recommend, {"k": "many"}),
        (train, {"overrides": ["tuning.trials"]}),
        (ingest, {"config": ""}),
    ],
)
def test_what_is_out_of_bounds_is_refused(flow, wrong):
    from prefect.exceptions import ParameterTypeError

    with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
        flow.validate_parameters({"config": "shop.toml", **wrong})


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_told_before_anything_starts(tmp_path):
    (tmp_path / "shop.toml").write_text('[data]\npath = "log.csv"\n[models]\ndevice = "cuda"\n')
    with pytest.raises(InputError, match="finds no CUDA device here"):
        configured(str(tmp_path / "shop.toml"))


@pytest.mark.parametrize("flow", [train, retrain, backtest], ids=lambda flow: flow.name)
def test_a_report_that_cannot_be_written_is_told_before_anything_starts(tmp_path, flow):
    (tmp_path / "shop.toml").write_text(f'store = "{tmp_path}/store"\n[data]\npath = "log.csv"\n')
    ended = flow.fn(str(tmp_path / "shop.toml"), report=str(tmp_path / "shop.toml"))
    assert isinstance(ended.data, InputError)
    assert ended.message == f"{tmp_path}/shop.toml cannot be written: {tmp_path}/shop.toml is a file; name a folder"
    assert not (tmp_path / "store").exists()


def test_what_the_command_line_allows_is_allowed():
    for override in (
        "tuning.trials=20",
        'models.candidates=["als"]',
        "data.event_weights.view=1",
        "models.params.als.factors = 8",
    ):
        train.validate_parameters({"config": "shop.toml", "overrides": [override]})


def test_wrong_input_is_the_message_of_a_failed_run():
    @answered
    def body():
        raise InputError("no configuration file at shop.toml")

    state = body()
    assert state.is_failed()
    assert state.message == "no configuration file at shop.toml"
    with pytest.raises(InputError, match=r"shop\.toml"):
        state.result()


def test_any_other_fault_is_the_first_line_of_a_failed_run_and_stays_loud():
    @answered
    def body():
        error = ZeroDivisionError("division by zero")
        error.add_note("in task train als")
        raise error

    state = body()
    assert state.is_failed()
    assert state.message == "ZeroDivisionError: division by zero (in task train als)"
    with pytest.raises(ZeroDivisionError):
        state.result()


@pytest.mark.parametrize(
    ("name", "error", "kept", "traceback"),
    [
        (TASK, InputError("wrong"), True, False),
        (ENGINE, InputError("wrong"), False, False),
        (TASK, KeyError("ours"), True, True),
        (ENGINE, KeyError("ours"), True, True),
    ],
)
def test_only_our_own_faults_have_a_traceback(name, error, kept, traceback):
    answered(lambda: None)()
    record = logging.LogRecord(name, logging.ERROR, "", 0, "failed", (), (type(error), error, None))
    assert bool(logging.getLogger(name).filter(record)) is kept
    assert bool(record.exc_info) is traceback
