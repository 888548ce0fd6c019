"""Who is let in, and what no page may do."""

from __future__ import annotations

import pytest

from harness.transport import is_loopback
from harness.view.guard import Guard
from tests.view.conftest import Pages


def test_the_printed_address_gives_a_cookie_that_no_other_site_can_use(pages: Pages) -> None:
    answer = pages.stranger.get("/compare", params={"token": pages.token, "m": "a"})

    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert answer.headers["location"] == "/compare?m=a"
    assert "SameSite=strict" in cookie
    assert "HttpOnly" in cookie


@pytest.mark.parametrize("path", ["/", "/runs", "/events", "/picture", "/static/view.js", "/x"])
def test_nothing_is_shown_without_the_token(pages: Pages, path: str) -> None:
    without = pages.stranger.get(path)
    wrong = pages.stranger.get(path, params={"token": "guessed"})

    assert (without.status_code, wrong.status_code) == (403, 403)
    assert "evalrun view" in without.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost.:1"])
def test_another_name_for_this_machine_is_not_answered(pages: Pages, host: str) -> None:
    answer = pages.client.get("/", headers={"host": host})

    assert answer.status_code == 421


def test_every_answer_forbids_scripts_and_requests_of_others(pages: Pages) -> None:
    for path in ("/", "/x", "/static/view.js"):
        headers = pages.get(path).headers

        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_post_needs_the_token_of_the_page_and_comes_from_it(pages: Pages) -> None:
    without = pages.client.post("/review/a/b")
    elsewhere = pages.client.post(
        "/review/a/b", headers={**pages.posting, "origin": "https://evil.example"}
    )
    deleting = pages.client.delete("/", headers=pages.posting)

    assert [it.status_code for it in (without, elsewhere, deleting)] == [403, 403, 403]


@pytest.mark.parametrize("name", ["10.0.0.7:8740", "[fe80::1]:8740", "127.0.0.1:8740"])
def test_a_server_for_other_machines_goes_by_its_addresses(name: str) -> None:
    remote = Guard(lambda *_: None, host="0.0.0.0", port=8740)  # type: ignore[arg-type, return-value]

    assert remote.is_our_name(name)
    assert not remote.is_our_name("evil.example:8740")
    assert not is_loopback("http://0.0.0.0:8740")
