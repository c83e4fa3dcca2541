"""Accounts and groups: who may log in, and what each may do. The groups are made by a migration."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class AccountAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """None is deleted, since the log of what it did would go with it: take `is_active` off."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "in_groups", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "groups")
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="groups")
    def in_groups(self, account: User) -> str:
        return ", ".join(group.name for group in account.groups.all()) or "-"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever could set a superuser's password could become one."""
        out_of_reach = obj is not None and obj.is_superuser and not _is_superuser(request)
        return not out_of_reach and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody gives rights away that go past the groups, but who has them all."""
        own = ("last_login", "date_joined")
        return own if _is_superuser(request) else (*own, "is_superuser", "user_permissions")


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):
    """Only a superuser changes what a group may do."""


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
