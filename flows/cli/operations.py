"""Commands of whoever runs it: `recsys deploy`, `recsys serve-flows`, `recsys stack`."""

from typing import Annotated

import typer

from flows.cli.start import with_server
from recsys.cli.app import DEFAULT_STORE, OPERATIONS, ConfigFile, Store, app


@app.command(rich_help_panel=OPERATIONS)
def deploy(config_file: ConfigFile) -> None:
    """Register the flows on the Prefect server, with forms and schedules, for workers to run."""
    config = with_server(config_file)
    from flows import deployments

    made = deployments.deploy(config, config_file)
    typer.echo("\n".join([f"{config.name} is deployed:", *deployments.lines(made)]))
    typer.echo(f"Nothing runs without a worker: prefect worker start --pool {made[0].work_pool_name}")


@app.command("serve-flows", rich_help_panel=OPERATIONS)
def serve_flows(config_file: ConfigFile) -> None:
    """Register the flows on the Prefect server and run what is due, without a worker, until Ctrl-C."""
    config = with_server(config_file)
    from flows import deployments

    title = f"{config.name} is served until Ctrl-C:"
    deployments.serve(config, config_file, lambda made: typer.echo("\n".join([title, *deployments.lines(made)])))
    typer.echo(f"{config.name} is no longer served; its schedules rest until it is")


@app.command(rich_help_panel=OPERATIONS)
def stack(
    store: Store = DEFAULT_STORE,
    auth: Annotated[bool, typer.Option("--auth", help="Both servers ask for a password.")] = False,
) -> None:
    """Start PostgreSQL, a Prefect server, an MLflow server and a worker, until Ctrl-C; data under STORE/stack."""
    from flows.stack.run import run

    run(store, typer.echo, auth=auth)
    typer.echo("all have ended")
