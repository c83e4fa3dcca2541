"""The groups of the admin's accounts, and how migrations give them permissions."""

from collections.abc import Iterable
from typing import Any

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"


def grant(apps: Any, group_name: str, permissions: Iterable[str]) -> None:
    """Give a group permissions, each as "memories.view_session". `apps`: the migration's.

    Django makes the permissions of new models only after the last migration of a run. Those that
    are missing are made here, under the names by which Django then finds them.
    """
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=group_name)
    group.permissions.add(*(_permission(apps, permission) for permission in permissions))


def _permission(apps: Any, permission: str) -> Any:
    app_label, _, codename = permission.partition(".")
    verb, _, model_name = codename.partition("_")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model_name
    )
    made, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=codename,
        defaults={"name": f"Can {verb} {_called(apps, app_label, model_name)}"},
    )
    return made


def _called(apps: Any, app_label: str, model_name: str) -> str:
    try:
        return str(apps.get_model(app_label, model_name)._meta.verbose_name_raw)
    except LookupError:  # of an app that this migration does not wait for
        return model_name
