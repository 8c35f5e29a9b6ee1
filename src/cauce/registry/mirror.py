"""A one-way copy into MLflow's registry: versions with their folders, and where the pointers stand."""

from __future__ import annotations

from typing import Any

from cauce.errors import Unavailable, need
from cauce.registry.records import Version
from cauce.registry.registry import Registry

VERSION_TAG, QUARANTINE_TAG = "cauce.version", "cauce.quarantine"
EXPERIMENT = "cauce"
ARTIFACT = "model"


def mirror(registry: Registry, url: str, *, name: str | None = None) -> list[tuple[Version, str]]:
    """Copy to MLflow what it does not have yet. Nothing is read back; what is removed there are aliases removed here.

    Args:
        url: of the tracking server, or of its database.
        name: one model; without it, all.

    Returns:
        The versions that were copied, and the numbers that MLflow gave them.

    Raises:
        MissingExtra: mlflow is not installed.
        Unavailable: MLflow refused, or cannot be reached.
        UnknownName: no such name.

    """
    tracking = need("mlflow.tracking", extra="mlflow", what="the mirror")
    refusal = need("mlflow.exceptions", extra="mlflow", what="the mirror").MlflowException
    try:
        client = tracking.MlflowClient(tracking_uri=url, registry_uri=url)
        copied = []
        for each in [name] if name else registry.names():
            copied += _mirror_name(client, registry, each)
    except refusal as error:
        raise Unavailable(f"MLflow at {url} refused: {error}", hint="is the address right, and may you write there?") from error
    return copied


def _mirror_name(client: Any, registry: Registry, name: str) -> list[tuple[Version, str]]:
    versions = registry.versions(name)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    numbers = {found.tags[VERSION_TAG]: found.version for found in _there(client, name) if VERSION_TAG in found.tags}
    copied = []
    for version in versions:
        if version.version not in numbers and not version.pruned:
            numbers[version.version] = _copy(client, version)
            copied.append((version, numbers[version.version]))
        if version.version in numbers:
            reason = version.quarantine.reason if version.quarantine else ""
            client.set_model_version_tag(name, numbers[version.version], QUARANTINE_TAG, reason)
    wanted = {
        alias: numbers[version.version] for version in versions for alias in version.aliases if version.version in numbers
    }
    for alias in client.get_registered_model(name).aliases:
        if alias not in wanted and registry.history(name, alias):  # one of ours that was removed here
            client.delete_registered_model_alias(name, alias)
    for alias, number in wanted.items():
        if number is not None:
            client.set_registered_model_alias(name, alias, number)
    return copied


def _there(client: Any, name: str) -> list[Any]:
    """The versions that MLflow has, from all its pages."""
    found, page = [], None
    while True:
        part = client.search_model_versions(f"name = '{name}'", page_token=page)
        found += part
        page = part.token
        if not page:
            return found


def _copy(client: Any, version: Version) -> str:
    """Upload the folder under a run of its own, then make it a version: one that was cut short is no version."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    where = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    run = client.create_run(where, run_name=str(version)).info.run_id
    client.log_artifacts(run, str(version.folder), ARTIFACT)
    client.set_terminated(run)
    source = f"{client.get_run(run).info.artifact_uri}/{ARTIFACT}"
    tags = {VERSION_TAG: version.version, QUARANTINE_TAG: ""}
    return str(client.create_model_version(version.name, source, run_id=run, tags=tags).version)
