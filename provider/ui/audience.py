"""Whom an item is for, as people choose it: everyone, some by name, or whoever fits conditions."""

from collections.abc import Mapping
from typing import Any

from wtforms import RadioField, SelectChoice, SelectMultipleField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length

from provider.domain.criteria import EVERYONE
from provider.models.catalog import RemoteRecordProducer
from webkit.forms import Form, strip

Document = dict[str, Any]

ALL, NAMED, FITTING = "all", "named", "fitting"
ANY_CONTRACT = "*"
_LISTS = ("companies", "owns_offerings", "owns_specifications")


class AudienceForm(Form):
    """Whom an item is for. No answer is given beforehand for one that was never published."""

    criteria = RadioField(
        "Who may order it",
        [InputRequired("Decide: all consumers, those that you name, or those that fit conditions.")],
        choices=[
            SelectChoice(ALL, "All consumers, also those that connect later"),
            SelectChoice(NAMED, "Only these consumers"),
            SelectChoice(FITTING, "Consumers that fit conditions, also those that connect later"),
        ],
    )
    criteria_connection_ids = SelectMultipleField("Consumers", validate_choice=False)
    match = RadioField(
        "How many of them", choices=[SelectChoice("any", "One is enough"), SelectChoice("all", "All")],
        validate_choice=False,
    )  # fmt: skip
    companies = SelectMultipleField("They belong to one of these companies", validate_choice=False)
    accounts = StringField(
        "They belong to one of these accounts", [Length(max=2000)], filters=[strip],
        description="Several with commas between them. A connection's account stands on its page.",
    )  # fmt: skip
    labels = TextAreaField(
        "They have these labels", [Length(max=5000)],
        description="One a line, such as tier = gold. A connection's labels stand on its page.",
    )  # fmt: skip
    owns_offerings = SelectMultipleField("They have a product in use of one of these", validate_choice=False)
    owns_specifications = SelectMultipleField("They have a product in use made of one of these", validate_choice=False)

    contracts = SelectMultipleField("They have one of these contracts in force", validate_choice=False)
    contract_offerings = SelectMultipleField("They have a contract in force for one of these", validate_choice=False)

    def validate_criteria_connection_ids(self, field: SelectMultipleField) -> None:
        if self.criteria.data == NAMED and not field.data:
            raise ValidationError("Tick at least one consumer.")

    def validate_labels(self, field: TextAreaField) -> None:
        if self.criteria.data != FITTING:
            return
        try:
            read_labels(field.data or "")
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def validate_match(self, _: RadioField) -> None:
        found = self._conditions()
        if self.criteria.data == FITTING and not found and not (self.labels.data or "").strip():
            raise ValidationError("Give at least one condition.")
        if self.criteria.data == FITTING and len(found) > 1 and self.match.data not in ("any", "all"):
            raise ValidationError("Say whether one of the conditions is enough.")

    def read(self) -> Document:
        if self.criteria.data == ALL:
            return dict(EVERYONE)
        if self.criteria.data == NAMED:
            return {"connection_ids": self.criteria_connection_ids.data}
        found = self._conditions()
        return found[0] if len(found) == 1 else {str(self.match.data): found}

    def _conditions(self) -> list[Document]:
        accounts = [one.strip() for one in (self.accounts.data or "").split(",") if one.strip()]
        lists: Document = {name: self[name].data for name in _LISTS} | {"accounts": accounts}
        try:
            labels = read_labels(self.labels.data or "")
        except ValueError:  # told beside the field
            labels = []
        asked = [{"label": {"name": name, "values": [value]}} for name, value in labels]
        return [*({kind: values} for kind, values in lists.items() if values), *asked, *self._contracts()]

    def _contracts(self) -> list[Document]:
        """One contract has to be both, where both are asked for."""
        names, offerings = self.contracts.data or [], self.contract_offerings.data or []
        if not names and not offerings:
            return []
        named = {} if not names or ANY_CONTRACT in names else {"names": names}
        return [{"contracts": named | ({"offerings": offerings} if offerings else {})}]


def read_labels(text: str) -> list[tuple[str, str]]:
    """Name and value of each line `name = value`. Raises ValueError, whose text is for people."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or not equals or not value:
            raise ValueError(f"“{line[:60]}” is not a name, an equals sign and a value.")
        found.append((name, value))
    return found


def say_labels(labels: Mapping[str, str]) -> str:
    """As `read_labels` takes them."""
    return "\n".join(f"{name} = {value}" for name, value in labels.items())


def answers_of(published: RemoteRecordProducer | None) -> Document:
    """What the form is to show; nothing where the criteria are more than it can say."""
    criteria = (published.criteria if published else None) or {}
    if "all_consumers" in criteria:
        return {"criteria": ALL}
    if "connection_ids" in criteria:
        return {"criteria": NAMED, "criteria_connection_ids": criteria["connection_ids"]}
    match = next((one for one in ("any", "all") if one in criteria), None)
    parts = criteria[match] if match else [criteria]
    kinds = [next(iter(part), "") for part in parts]
    plain = [kind for kind in kinds if kind not in ("label", "contracts")]
    agreed = [part["contracts"] for part in parts if "contracts" in part]
    lone = all(len(part["label"]["values"]) == 1 for part in parts if "label" in part)
    if not criteria or not lone or len(set(plain)) < len(plain) or not set(plain) <= {*_LISTS, "accounts"}:
        return {}
    if len(agreed) > 1 or any("specifications" in one for one in agreed):
        return {}
    shown: Document = {"criteria": FITTING, "match": match or "any"}
    shown |= {kind: part[kind] for kind, part in zip(kinds, parts, strict=True) if kind in plain}
    for one in agreed:
        shown |= {"contracts": one.get("names", [ANY_CONTRACT]), "contract_offerings": one.get("offerings", [])}
    labels = [part["label"] for part in parts if "label" in part]
    shown["labels"] = "\n".join(f"{one['name']} = {one['values'][0]}" for one in labels)
    return shown | {"accounts": ", ".join(shown.get("accounts", []))}
