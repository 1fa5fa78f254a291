"""A row and the row it names belong to the same participant (or study): a composite foreign key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.constraints import BaseConstraint


class SameOwner(BaseConstraint):
    """The row that the foreign key `through` points to has the same `owner` as this row; or it points nowhere.

    The row pointed to carries a unique constraint on (id, owner). Checked with each statement, not at the end of the
    transaction: whoever mixes up two participants is told at once.
    """

    def __init__(self, *, through: str, owner: str, name: str, violation_error_message: str) -> None:
        self.through, self.owner = through, owner
        super().__init__(name=name, violation_error_message=violation_error_message)

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        """Nothing inside CREATE TABLE: the table pointed to may come later in the same migration."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return ""

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        through, owner = (self._field(model, name) for name in (self.through, self.owner))
        pointed_to = self._target(model)._meta
        return (
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name)}"
            f" FOREIGN KEY ({quote(through.column)}, {quote(owner.column)}) REFERENCES {quote(pointed_to.db_table)}"
            f" ({quote(pointed_to.pk.column)}, {quote(self._field(self._target(model), self.owner).column)})"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """The same question asked by a form. Raises ValidationError."""
        key, owner = (getattr(instance, self._field(model, name).attname) for name in (self.through, self.owner))
        if key is None or owner is None or {self.through, self.owner} & set(exclude or ()):
            return
        rows = self._target(model)._base_manager.using(using)
        if not rows.filter(pk=key, **{self.owner: owner}).exists():
            raise ValidationError(self.get_violation_error_message())

    def _target(self, model: type[models.Model]) -> type[models.Model]:
        target: type[models.Model] = self._field(model, self.through).related_model
        return target

    def _field(self, model: type[models.Model], name: str) -> models.ForeignKey[Any, Any]:
        return cast("models.ForeignKey[Any, Any]", model._meta.get_field(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameOwner) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.name, self.through, self.owner))

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "through": self.through, "owner": self.owner}
