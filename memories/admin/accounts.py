"""Accounts and groups: who may log in, and what each may do. The groups are made by a migration."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
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

    @admin.display(description=_("groups"))
    def in_groups(self, account: User) -> str:
        return ", ".join(group.name for group in account.groups.all()) or "-"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever could set the password of an account that may more could become it."""
        within_reach = obj is None or _is_superuser(request) or _may_no_more(obj, request)
        return within_reach and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Nobody puts an account into a group that may what they may not."""
        if db_field.name == "groups" and not _is_superuser(request):
            kwargs["queryset"] = Group.objects.exclude(permissions__in=_beyond(request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody gives rights away that go past the groups, but who has them all."""
        own = ("last_login", "date_joined")
        return own if _is_superuser(request) else (*own, "is_superuser", "user_permissions")


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):
    """Only a superuser changes what a group may do."""


def _beyond(request: HttpRequest) -> QuerySet[Permission]:
    """The permissions that whoever asks does not hold."""
    held: Any = request.user
    mine = Q(group__user=held) | Q(user=held)
    return Permission.objects.exclude(pk__in=Permission.objects.filter(mine).values("pk"))


def _may_no_more(account: User, request: HttpRequest) -> bool:
    """Also of one that is not active: its password would be set before it is again."""
    given = Q(group__user=account) | Q(user=account)
    beyond = Permission.objects.filter(given, pk__in=_beyond(request).values("pk"))
    return not account.is_superuser and not beyond.exists()


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
