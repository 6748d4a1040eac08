"""Prefect's server and PostgreSQL killed and started again while a run is on."""

import pytest

pytestmark = pytest.mark.timeout(600)


def test_the_prefect_server(prefect, shop, worker, undisturbed):
    run = shop.train()
    worker.says(shop.midway)
    prefect.kill()
    worker.says("als: trial 15 of 15")
    prefect.start()
    ended = prefect.when(run)
    assert ended["state_name"] == "Completed"
    assert shop.tested() == undisturbed


def test_postgresql_under_the_prefect_server(prefect, postgres, shop, worker, undisturbed):
    run = shop.train()
    worker.says(shop.midway)
    postgres.kill()
    worker.says("als: trial 15 of 15")
    postgres.start()
    ended = prefect.when(run)
    assert ended["state_name"] == "Completed"
    assert shop.tested() == undisturbed
