"""The catalog: what is sold and what it is made of, its life cycle, and taking in whole documents."""

from collections.abc import Sequence
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.file import FileField
from werkzeug import Response
from wtforms import TextAreaField, ValidationError

from bridge.errors import RefusedDocument
from bridge.schemas import strict_json
from bridge.web import BODY_LIMIT_BYTES
from provider.domain.catalog import CATALOG_MOVES, CHANNEL_NAME, CatalogState, why_not_sold
from provider.models.catalog import RemoteRecordProducer
from provider.services import catalog, catalog_search, selling
from provider.services.catalog_export import export_catalog
from provider.services.catalog_import import ImportResult, import_catalog
from provider.services.catalog_search import SORTABLE, search_catalog
from provider.ui.context import actor, here
from webkit.forms import Form
from webkit.listing import read_listing
from webkit.next_step import flash_next
from webkit.pages import Pages
from webkit.site import Refusal

pages = Pages("catalog", __name__)

KINDS = (("offering", "Offering"), ("product", "Product specification"), ("service", "Service specification"))
STATES = tuple((str(state), state.label) for state in CatalogState)
WARNINGS_MOST = 10
"""They travel in a cookie. The page of each offering says the same."""
SENT_MOST_BYTES = 8 * BODY_LIMIT_BYTES
"""A file and a text, either of which may be too long: up to here that is said beside it."""


class CatalogForm(Form):
    """A document as a file or as text. What a file held stands in the text afterwards, to be mended in place."""

    file = FileField("File", description="A .json file of at most 256 kB, shaped like TMF620.")
    text = TextAreaField("Or the document itself")

    faults: Sequence[dict[str, str]] = ()
    document: bytes = b""

    def read_file(self) -> None:
        """The file, if there is one, else the text. A file that is too long leaves the text as it was typed."""
        if self.file.data:
            self.document = self.file.data.read()
            if len(self.document) <= BODY_LIMIT_BYTES:
                self.text.data = self.document.decode(errors="replace")
        else:
            self.document = (self.text.data or "").encode()

    def validate_file(self, field: FileField) -> None:
        if field.data:
            self._check_length()

    def validate_text(self, _: TextAreaField) -> None:
        if not self.file.data:
            self._check_length()

    def _check_length(self) -> None:
        if len(self.document) > BODY_LIMIT_BYTES:
            has, most = (f"{-(-size // 1024)} kB" for size in (len(self.document), BODY_LIMIT_BYTES))
            raise ValidationError(f"This has {has}; at most {most} are taken at once. Split it.")

    def place(self, refusal: Refusal) -> None:
        """Pointers lead into the document, not to fields: they are shown as a table."""
        self.faults = refusal.errors or ()
        if not self.faults:
            self.text.errors = [refusal.detail or refusal.title]


@pages.page("/catalog", "catalog.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "name", ("kind", "state", "sellable"))
    wanted: dict[str, Any] = {"sort": listing.sort, "descending": listing.descending, **listing.filters}
    with here().database.reading() as session:
        rows, total = search_catalog(session, text=listing.text, offset=listing.offset, limit=listing.limit, **wanted)
    choices = {"kinds": KINDS, "states": STATES}
    return flask.render_template("provider/catalog.html", listing=listing, rows=rows, total=total, **choices)


@pages.page("/catalog/offerings/<offering_id>", "catalog.read")
def show_offering(offering_id: str) -> str:
    with here().database.reading() as session:
        shown = catalog_search.show_offering(session, offering_id)
        offering = shown["offering"]
        moves = CATALOG_MOVES.moves[CatalogState(offering.lifecycle_state)]
        hindrance = why_not_sold(channels=offering.channels, sellable=offering.sellable)
        told = {"hindrance": hindrance, "sold": selling.find_sold(shown["versions"])}
        return flask.render_template("provider/catalog_offering.html", moves=moves, **told, **shown)


@pages.page("/catalog/specifications/<specification_id>", "catalog.read")
def show_specification(specification_id: str) -> str:
    with here().database.reading() as session:
        shown = catalog_search.show_specification(session, specification_id)
        moves = CATALOG_MOVES.moves[CatalogState(shown["specification"].lifecycle_state)]
        return flask.render_template("provider/catalog_specification.html", moves=moves, **shown)


@pages.action("/catalog/offerings/<offering_id>/publish", "catalog.write")
def publish_offering(offering_id: str) -> Response:
    with here().transaction() as session:
        offering = catalog.publish_offering(session, offering_id, actor(), here().clock())
        item = selling.find_draft_item(session, offering)
    _tell_next(f"{offering.name} {offering.version} is published.", item)
    return flask.redirect(flask.url_for(".show_offering", offering_id=offering_id), 303)


@pages.action("/catalog/offerings/<offering_id>/sell", "catalog.write")
def sell_offering(offering_id: str) -> Response:
    """Give it the channel; what is published cannot change, so that this makes its next version."""
    with here().transaction() as session:
        offering = selling.sell_offering(session, offering_id, actor(), here().clock())
        item = selling.find_draft_item(session, offering)
    told = f"{offering.name} {offering.version} has the channel {CHANNEL_NAME}."
    _tell_next(told if item else f"{told} Publish it next.", item)
    return flask.redirect(flask.url_for(".show_offering", offering_id=offering.id), 303)


@pages.action("/catalog/offerings/<offering_id>/retire", "catalog.write")
def retire_offering(offering_id: str) -> Response:
    with here().transaction() as session:
        offering = catalog.retire_offering(session, offering_id, actor(), here().clock())
    flask.flash(f"{offering.name} {offering.version} is retired.", "success")
    return flask.redirect(flask.url_for(".show_offering", offering_id=offering_id), 303)


@pages.action("/catalog/specifications/<specification_id>/publish", "catalog.write")
def publish_specification(specification_id: str) -> Response:
    with here().transaction() as session:
        specification = catalog.publish_specification(session, specification_id, actor(), here().clock())
    flask.flash(f"{specification.name} {specification.version} is published.", "success")
    return flask.redirect(flask.url_for(".show_specification", specification_id=specification_id), 303)


@pages.action("/catalog/specifications/<specification_id>/retire", "catalog.write")
def retire_specification(specification_id: str) -> Response:
    with here().transaction() as session:
        specification = catalog.retire_specification(session, specification_id, actor(), here().clock())
    flask.flash(f"{specification.name} {specification.version} is retired.", "success")
    return flask.redirect(flask.url_for(".show_specification", specification_id=specification_id), 303)


@pages.form("/catalog/import", "catalog.write", SENT_MOST_BYTES)
def take_in() -> ResponseReturnValue:
    form, taken = CatalogForm(), []
    form.read_file()
    if not form.is_submitted() and "example" in flask.request.args:
        form.text.data = flask.render_template("provider/catalog_example.json")

    def take() -> None:
        document = _read_document(form.document)
        with here().transaction() as session:
            taken.append(import_catalog(session, document, here().clock(), actor()))

    if form.done(take):
        flask.flash(_in_words(taken[0]), "success")
        _warn(taken[0].warnings)
        return flask.redirect(flask.url_for(".list_all"), 303)
    return flask.render_template("provider/catalog_import.html", form=form), 422 if form.is_submitted() else 200


@pages.page("/catalog/export", "catalog.read")
def export() -> Response:
    """The document that an import takes, as a file."""
    with here().database.reading() as session:
        text = flask.json.dumps(export_catalog(session), indent=1)
    headers = {"Content-Disposition": 'attachment; filename="catalog.json"'}
    return flask.Response(text, headers=headers, content_type="application/json")


def _read_document(text: bytes) -> dict[str, Any]:
    document = strict_json(text)
    if not isinstance(document, dict):
        raise RefusedDocument("not_an_object", "The document is an object with lists such as productOffering in it.")
    return document


def _tell_next(done: str, item: RemoteRecordProducer | None) -> None:
    """What was done, and where the way of an offering to consumers goes on."""
    if item is None:
        flask.flash(done, "success")
    elif current_user.may("producer.read"):
        label = "Its item for consumers is a draft: review and publish it."
        flash_next(done, label, flask.url_for("producers.show", identity=item.identity))
    else:
        flask.flash(f"{done} Its item for consumers is a draft: an Exchange admin reviews and publishes it.", "success")


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings[:WARNINGS_MOST]:
        flask.flash(warning, "warning")
    if more := len(warnings[WARNINGS_MOST:]):
        flask.flash(f"And {more} more like these: the page of each offering says so.", "warning")


def _in_words(result: ImportResult) -> str:
    told = ((result.created, "new"), (result.updated, "changed"), (result.unchanged, "as before"))
    return "Taken in: " + ", ".join(f"{count} {word}" for count, word in told if count) + "."
