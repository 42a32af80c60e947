"""The web client's files: pages, caching, compression, policy, and nothing but them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest

from tests.rest.api import Api, check_problem
from tests.service.world import World

PAGE = "<!doctype html><title>webchat</title>"
SCRIPT = "console.log('안녕');" * 200


@pytest.fixture
async def site(world: World, tmp_path: Path) -> AsyncIterator[Api]:
    directory = tmp_path / "static"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text(PAGE)
    (directory / "assets" / "app-B2x9.js").write_text(SCRIPT)
    (directory / "icon.svg").write_text("<svg/>")
    (directory / ".secret").write_text("secret")
    (tmp_path / "outside.html").write_text("outside")
    made = Api(world, static_dir=directory)
    yield made
    await made.close()


@pytest.mark.parametrize(
    "path", ["/", "/login", "/register", "/settings", "/c/dm:a:b", "/c/group_x", "/index.html"]
)
async def test_every_page_of_the_client_is_its_one_document(site: Api, path: str) -> None:
    response = await site.http.get(path)
    assert (response.status_code, response.text) == (200, PAGE)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


async def test_the_page_runs_under_a_strict_policy(site: Api) -> None:
    policy = (await site.http.get("/")).headers["content-security-policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == ["'self'"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    assert "unsafe" not in policy


async def test_a_hashed_file_is_kept_for_ever_and_any_other_is_asked_for_again(site: Api) -> None:
    hashed = await site.http.get("/assets/app-B2x9.js")
    assert hashed.text == SCRIPT
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["content-type"] == "text/javascript; charset=utf-8"
    icon = await site.http.get("/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    assert icon.headers["content-type"] == "image/svg+xml"


async def test_a_file_is_compressed_for_those_who_take_it(site: Api) -> None:
    path = "/assets/app-B2x9.js"
    for accepted in ("gzip", "br, GZIP;q=0.5", "gzip; q=1.000", "gzip;q=0.001"):
        async with site.http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert gzip.decompress(raw).decode() == SCRIPT
    for refused in (
        "identity", "gzip;q=0", "gzip; q=0, br", "gzip;q=0.0", "GZIP;Q=0.000", "gzip;q=x",
        "gzipped",
    ):  # fmt: skip
        plain = await site.http.get(path, headers={"Accept-Encoding": refused})
        assert "content-encoding" not in plain.headers
        assert plain.text == SCRIPT
        assert "Accept-Encoding" in plain.headers["vary"]


async def test_a_weight_is_above_0_by_any_of_its_digits_and_a_number_at_all(site: Api) -> None:
    for length in range(5):
        for digits in map("".join, product("05x", repeat=length)):
            weight = {"Accept-Encoding": f"gzip;q=0.{digits}"}
            response = await site.http.get("/assets/app-B2x9.js", headers=weight)
            is_taken = "5" in digits and "x" not in digits
            assert ("content-encoding" in response.headers) is is_taken, digits


@pytest.mark.parametrize("digit", "01")
async def test_a_weight_that_goes_on_and_on_holds_nobody_up(site: Api, digit: str) -> None:
    path, weight = "/assets/app-B2x9.js", f"gzip;q=0.{digit * 1_000_000}"
    for end, encoding in (("x", None), ("1", "gzip")):
        response = await site.http.get(path, headers={"Accept-Encoding": weight + end})
        assert response.headers.get("content-encoding") == encoding


async def test_a_file_that_has_not_changed_is_not_sent_again(site: Api) -> None:
    first = await site.http.get("/")
    again = await site.http.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = await site.http.get("/", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/.secret", "/../outside.html", "/%2e%2e/outside.html", "/assets/../../outside.html",
     "/assets/", "/assets", "/%2Foutside.html", "/login/", "/loginx", "/C/x", "/c"],
)  # fmt: skip
async def test_nothing_else_is_to_be_found(site: Api, path: str) -> None:
    check_problem(await site.http.get(path), 404, "not_found")


async def test_an_unknown_address_opened_in_a_browser_is_404_with_the_page(site: Api) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/loginx", "/login/", "/c", "/assets/gone.js"):
        response = await site.http.get(path, headers=browser)
        assert (response.status_code, response.text) == (404, PAGE)
        assert "require-trusted-types-for" in response.headers["content-security-policy"]
    check_problem(await site.http.get("/api/v1/nope", headers=browser), 404, "not_found")
    check_problem(await site.http.post("/loginx", headers=browser), 404, "not_found")


async def test_a_page_is_read_not_written(site: Api) -> None:
    response = await site.http.post("/login")
    check_problem(response, 405, "bad_request")
    assert response.headers["allow"] == "GET, HEAD"


async def test_without_a_built_client_the_start_page_says_so(api: Api) -> None:
    response = await api.http.get("/")
    assert response.status_code == 200
    assert "not built" in response.text
    check_problem(await api.http.get("/login"), 404, "not_found")
