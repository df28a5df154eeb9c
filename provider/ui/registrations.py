"""Letting consumers in: a registration with its one-time token, and where each stands."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import URL, DataRequired, Length, Optional, Regexp

from bridge.address_guard import AddressGuard
from bridge.errors import RefusedAddress
from provider.models.access import Registration
from provider.services import registrations
from provider.services.connection_search import REGISTRATIONS_SORTABLE, search_registrations
from provider.ui.context import actor, here
from webkit import once
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
    base_url = _address(
        "Base URL",
        "Where their instance is, such as https://exchange.acme.example; the token is then good there only. Leave it "
        "empty if you do not know it.",
    )
    callback_url = _address(
        "Callback URL",
        "The address that their instance takes events at, if they told you already. It begins with the base URL.",
    )


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
        return _keep_token(*made[0])
    status = 422 if form.is_submitted() else 200
    return flask.render_template("provider/registration_new.html", form=form), status


@pages.action("/registrations/<number>/reissue", "registration.write")
def reissue(number: str) -> ResponseReturnValue:
    with here().transaction() as session:
        return _keep_token(*registrations.reissue_token(session, number, actor=actor(), now=here().clock()))


@pages.page("/registrations/<number>/token", "registration.write")
def show_token(number: str) -> ResponseReturnValue:
    """The only page that ever shows it, and only once: loaded again, it is gone."""
    with here().database.reading() as session:
        shown = registrations.show_registration(registrations.get_registration(session, number), now=here().clock())
    token = once.take(_secret(number))
    if token is None:
        return flask.redirect(flask.url_for("registrations.show", number=number), 303)
    address = flask.current_app.config["SXG_PUBLIC_URL"]
    told: dict[str, Any] = {"secret": token, "address": address, "is_public": _is_public(address)}
    return flask.render_template("provider/registration_token.html", registration=shown, **told)


def _is_public(url: str) -> bool:
    """Whether an instance calls it that was told to allow nothing more; a name may still lead elsewhere."""
    try:
        AddressGuard().check_url(url)
    except RefusedAddress:
        return False
    return True


def _keep_token(registration: Registration, token: str) -> ResponseReturnValue:
    once.keep(_secret(registration.number), token)
    return flask.redirect(flask.url_for("registrations.show_token", number=registration.number), 303)


def _secret(number: str) -> str:
    return f"registration/{number}"
