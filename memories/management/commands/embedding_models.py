"""`manage.py embedding_models`: change the model that searches are served by, without a pause."""

from argparse import ArgumentParser
from threading import Event
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import KINDS
from memories.management.terminal import progress_bar
from memories.models import EmbeddingModel
from memories.services.embedding.fill_run import FillOptions, fill_whole_model
from memories.services.embedding.filling import (
    Progress,
    count_tasks,
    forget_tasks,
    forget_vectors,
    list_set_aside,
    mark_ready,
    progress_of,
    retire_model,
    retry_set_aside,
)
from memories.services.embedding.models import (
    LOOK_AGAIN_SECONDS,
    activate_model,
    add_model,
    embedder_of,
)
from memories.services.embedding.vector_index import IndexBuild, wants_index
from memories.services.orchestrators import running_orchestrators

State = EmbeddingModel.State

_SHOWN_SET_ASIDE = 20


class Command(BaseCommand):
    help = "List, add, activate and retire embedding models while searches go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listed = actions.add_parser("list", help="the models, how far they are, and what failed")
        listed.add_argument(
            "--retry-failed", action="store_true", help="put what was set aside back in the queue"
        )
        added = actions.add_parser("add", help="fill a new model; may be stopped and repeated")
        added.add_argument("kind", choices=KINDS, help="as in EMBEDDER")
        added.add_argument(
            "--rate", type=float, default=0.0, help="memories a second at most (default: no limit)"
        )
        added.add_argument(
            "--embed",
            action="store_true",
            help="make the vectors in this process, not in the orchestrators",
        )
        activated = actions.add_parser("activate", help="let a filled model serve searches")
        activated.add_argument("name", help="as `list` shows it")
        activated.add_argument("--force", action="store_true", help="even if it is not filled")
        retired = actions.add_parser("retire", help="free a model's vectors and index")
        retired.add_argument("name", help="as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except EmbedderLoadError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database refused: {' '.join(str(error).split())}") from error
        except KeyboardInterrupt:
            raise CommandError("Stopped; the same command goes on from here.") from None

    def _list(self, options: dict[str, Any]) -> None:
        if options["retry_failed"]:
            self.stdout.write(f"{retry_set_aside()} tasks are back in the queue.")
        console = Console(file=cast(TextIO, self.stdout), highlight=False)
        console.print(_table())
        for model, memory_id, error in list_set_aside(_SHOWN_SET_ASIDE):
            line = Text(f"set aside: {memory_id} by {model}: {' '.join(error.split())}")
            console.print(line, soft_wrap=True)

    def _add(self, options: dict[str, Any]) -> None:
        if options["rate"] < 0:
            raise CommandError("--rate is below 0; give memories a second, or 0 for no limit.")
        model = add_model(options["kind"])
        if not embedder_of(model).embeds_text:
            self.stdout.write(
                f"{model.name} is there, and clients fill it: its vectors are taken once it is "
                f"active (`embedding_models activate {model.name} --force`)."
            )
            return
        if not options["embed"] and not running_orchestrators():
            raise CommandError(
                "No orchestrator runs that would make the vectors: start one, or add --embed."
            )
        self._fill(model, FillOptions(options["rate"], options["embed"]))
        if wants_index(model):
            self.stdout.write(f"Building the index of {model.name} ...")
            IndexBuild().build(model)
        mark_ready(model)
        self._say_filled(model)

    def _fill(self, model: EmbeddingModel, options: FillOptions) -> None:
        progress = progress_of(model)
        total = progress.memories
        with progress_bar() as bar:
            task = bar.add_task(f"filling {model.name}", total=total)
            fill_whole_model(
                model, options, lambda left: bar.update(task, completed=max(0, total - left))
            )

    def _say_filled(self, model: EmbeddingModel) -> None:
        model.refresh_from_db()
        _, set_aside = count_tasks(model)
        self.stdout.write(f"{model.name} is {model.state} and filled.")
        if set_aside:
            self.stdout.write(
                f"{set_aside} memories could not be embedded: `embedding_models list` says why, "
                "`--retry-failed` tries again."
            )

    def _activate(self, options: dict[str, Any]) -> None:
        model = _named(options["name"])
        if model.state == State.ACTIVE:
            self.stdout.write(f"{model.name} serves searches already.")
            return
        if model.state == State.RETIRED:
            raise CommandError(
                f"{model.name} is retired: fill it anew with `embedding_models add {model.kind}`."
            )
        embedder_of(model)  # what cannot load here would stop every orchestrator's next start
        progress = progress_of(model)
        if not options["force"] and (model.state == State.FILLING or not progress.is_filled()):
            raise CommandError(_why_not(model, progress))
        if wants_index(model):
            self.stdout.write(f"Building the index of {model.name} ...")
            IndexBuild().build(model)
        if not activate_model(model):
            raise CommandError(f"{model.name} has been retired meanwhile.")
        self.stdout.write(
            f"{model.name} serves searches; what served before stays ready for a way back. Set "
            f"EMBEDDER={model.kind} for the next start."
        )

    def _retire(self, options: dict[str, Any]) -> None:
        model = _named(options["name"])
        if not retire_model(model):
            raise CommandError(f"{model.name} serves searches: activate another model first.")
        # Where it served a moment ago, others still ask it.
        Event().wait(LOOK_AGAIN_SECONDS)
        while forget_tasks(model):
            pass
        last_id = forget_vectors(model, 0)
        while last_id:
            last_id = forget_vectors(model, last_id)
        self.stdout.write(f"{model.name} is retired; its vectors and its index are gone.")


def _table() -> Table:
    table = Table("model", "kind", "dimension", "state", "vectors", "missing", "queued", "failed")
    for model in EmbeddingModel.objects.order_by("id"):
        progress = progress_of(model)
        numbers = (
            progress.memories - progress.missing,
            progress.missing,
            progress.waiting,
            progress.set_aside,
        )
        table.add_row(model.name, model.kind, str(model.dimension), model.state, *map(str, numbers))
    return table


def _named(name: str) -> EmbeddingModel:
    model = EmbeddingModel.objects.filter(name=name).first()
    if model is None:
        known = ", ".join(EmbeddingModel.objects.order_by("id").values_list("name", flat=True))
        raise CommandError(f"There is no model {name!r}; known are: {known or 'none'}.")
    return model


def _why_not(model: EmbeddingModel, progress: Progress) -> str:
    return (
        f"{model.name} is {model.state} and not filled: {progress.missing} of {progress.memories} "
        f"memories lack its vector ({progress.waiting} queued, {progress.set_aside} failed). Run "
        f"`embedding_models add {model.kind}` first, or activate it with --force."
    )
