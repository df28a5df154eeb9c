"""Letting consumers in: a registration with its one-time token, and where each stands."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import URL, DataRequired, Length, Optional, Regexp

from provider.models.access import Registration
from provider.services import registrations
from provider.services.connection_search import REGISTRATIONS_SORTABLE, search_registrations
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("registrations", __name__)

STATES = (
    ("open", "Waits for the consumer"), ("work_in_progress", "Callback to be verified"),
    ("closed_complete", "Connected"), ("closed_incomplete", "Closed"),
)  # fmt: skip
"""Each state in the words of what has to happen next."""


def _or_none(value: str | None) -> str | None:
    return value or None


def _address(label: str, description: str) -> StringField:
    rules = [Optional(), Length(max=2000), URL(require_tld=False, message="An address begins with https://")]
    return StringField(label, rules, filters=[strip, _or_none], description=description)


class RegistrationForm(Form):
    company = StringField("Company", [DataRequired(), Length(max=120)], filters=[strip])
    contact_name = StringField("Contact person", [DataRequired(), Length(max=120)], filters=[strip])
    contact_email = StringField(
        "E-mail of the contact person",
        [DataRequired(), Length(max=254), Regexp(r"[^@\s]+@[^@\s]+$", message="This is not an e-mail address.")],
        filters=[strip],
    )
    base_url = _address("Base URL", "Where their instance is, if you know it: the token is then good there only.")
    callback_url = _address("Callback URL", "Where events are sent, if they told you already; below the base URL.")


@pages.page("/registrations", "connection.read")
def list_all() -> str:
    listing = read_listing(REGISTRATIONS_SORTABLE, "-number", ("state",))
    wanted: dict[str, Any] = {
        "text": listing.text,
        "sort": listing.sort,
        "descending": listing.descending,
        **listing.filters,
    }
    with here().database.reading() as session:
        rows, total = search_registrations(
            session, now=here().clock(), offset=listing.offset, limit=listing.limit, **wanted
        )
    return flask.render_template("provider/registrations.html", listing=listing, rows=rows, total=total, states=STATES)


@pages.page("/registrations/<number>", "connection.read")
def show(number: str) -> str:
    with here().database.reading() as session:
        found = registrations.get_registration(session, number)
        shown = registrations.show_registration(found, now=here().clock())
    return flask.render_template("provider/registration.html", registration=shown)


@pages.form("/registrations/new", "registration.write")
def register() -> ResponseReturnValue:
    form, made = RegistrationForm(), []

    def create() -> None:
        said: dict[str, Any] = {name: value for name, value in form.data.items() if name != "csrf_token"}
        with here().transaction() as session:
            made.append(
                registrations.create_registration(session, here().guard, **said, actor=actor(), now=here().clock())
            )

    if form.done(create):
        return _show_token(*made[0]), 201
    status = 422 if form.is_submitted() else 200
    return flask.render_template("provider/registration_new.html", form=form), status


@pages.action("/registrations/<number>/reissue", "registration.write")
def reissue(number: str) -> str:
    with here().transaction() as session:
        return _show_token(*registrations.reissue_token(session, number, actor=actor(), now=here().clock()))


def _show_token(registration: Registration, token: str) -> str:
    """The only page that ever shows it: nothing keeps it, so neither an address nor a session may carry it on."""
    shown = registrations.show_registration(registration, now=here().clock())
    address = flask.current_app.config["SXG_PUBLIC_URL"]
    return flask.render_template("provider/registration_token.html", registration=shown, secret=token, address=address)
