"""Export and erasure of an owner, from the owner's page. Large ones are for the commands."""

import tempfile
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from memories.admin.pages import log_changes, posted
from memories.admin.user_page import known_owner, name_of
from memories.exports.files import stem_of
from memories.exports.page import write_page
from memories.exports.snapshot import one_moment
from memories.exports.writing import count_rows, write_lines
from memories.models import Erasure as ErasureRow
from memories.models import UserProfile
from memories.services.erase import Erasure
from memories.services.named_owner import Owner
from memories.services.people import holds_more_than
from memories.services.proofs import ProofFile, ProofsUnreadable

EXPORTS = "memories.change_userprofile"
ERASES = "memories.delete_userprofile"
# Memories, those that are deleted too, and revisions.
MOST_ROWS = 20_000


class _OwnerAct(PermissionRequiredMixin, View):
    raise_exception = True
    http_method_names = ("post",)

    def post(self, request: HttpRequest, owner_id: UUID) -> HttpResponse | FileResponse:
        owner = known_owner(owner_id)
        if holds_more_than(owner_id, MOST_ROWS):
            return self.refuse(
                request,
                owner,
                _("That is too much for a page: use the commands export_owner and erase_owner."),
            )
        return self.act(request, owner)

    def act(self, request: HttpRequest, owner: Owner) -> HttpResponse | FileResponse:
        raise NotImplementedError

    def refuse(self, request: HttpRequest, owner: Owner, problem: str) -> HttpResponse:
        messages.error(request, problem)
        return HttpResponseRedirect(reverse("memories:user", args=[owner.owner_id]))

    @classmethod
    def as_act(cls) -> Any:
        return admin.site.admin_view(cls.as_view())


class ExportOwner(_OwnerAct):
    """Everything of the owner as a file: lines for `import_memories`, or a page to be read."""

    permission_required = EXPORTS

    def act(self, request: HttpRequest, owner: Owner) -> FileResponse:
        is_page = "page" in request.POST
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- the response closes it
        with one_moment():
            counts = count_rows(owner)
            if is_page:
                write_page(owner, counts, file)
            else:
                write_lines(owner, counts, file, lambda: None)
        file.seek(0)
        log_changes(request, UserProfile, [str(owner.owner_id)], "Exported")
        stem = stem_of(name_of(owner), datetime.now(UTC))
        name = f"{stem}.html" if is_page else f"{stem}.jsonl"
        return FileResponse(file, as_attachment=True, filename=name)


class EraseOwner(_OwnerAct):
    """For good, once the name was typed. The log names the proof alone, not who was erased."""

    permission_required = ERASES

    def act(self, request: HttpRequest, owner: Owner) -> HttpResponse:
        name = name_of(owner)
        if posted(request, "name") != name:
            problem = _("The name that was typed is another: nothing was erased.")
            return self.refuse(request, owner, problem)
        proofs = ProofFile(settings.DATA_DIR / "erasures")
        erasure = Erasure(owner, request.user.get_username(), proofs)
        try:
            for _step in erasure.steps():
                pass
        except (OSError, ProofsUnreadable) as error:
            problem = _(
                "The proof cannot be written: %(reason)s. Nothing more was erased; try again."
            )
            return self.refuse(request, owner, problem % {"reason": error})
        log_changes(request, ErasureRow, [str(erasure.proof.id)], "Erased an owner")
        told = _("Everything of %(name)s is erased. The proof is %(proof)s.")
        messages.success(request, told % {"name": name, "proof": erasure.proof.id})
        return redirect("memories:users")
