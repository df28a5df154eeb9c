"""Signing in, in a real browser."""

from tests.browser.browsing import Browsing


def test_people_sign_in_and_out(browsing: Browsing) -> None:
    admin = browsing.provider("admin")
    assert admin.page.url == admin.url + "/"
    admin.press("Sign out", within="header")
    admin.sees("Sign in to")
    admin.open("/")
    assert "/sign-in" in admin.page.url
    admin.sign_in()
    assert admin.page.url == admin.url + "/"


def test_two_instances_on_one_host_keep_separate_sign_ins_in_one_browser(browsing: Browsing) -> None:
    provider = browsing.provider("viewer")
    consumer = browsing.stage.deployment.consumer
    other = browsing.join("consumer", consumer.url, consumer.database_url, "viewer", provider.page.context)
    other.open("/")
    provider.open("/")
    assert "/sign-in" not in provider.page.url + other.page.url
    other.press("Sign out", within="header")
    provider.open("/")
    assert "/sign-in" not in provider.page.url


def test_the_api_documentation_works_below_our_policy(browsing: Browsing) -> None:
    for person in (browsing.provider("viewer"), browsing.consumer("viewer")):
        person.open("/api-docs")
        person.sees("OAS 3.1")
