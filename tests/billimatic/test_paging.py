"""Paginated searches: rather fail than miss a row, and one odd row costs no other."""

from collections.abc import Callable
from datetime import date
from random import Random
from threading import Barrier
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.billimatic import BillimaticClient, RowsMovedError, TransientApiError, UnreadableAnswerError, transport
from ciclo.billimatic.models.reading import read_record as real
from scripted_server import Act

SETTINGS: dict[str, Any] = {
    "base_url": "http://localhost", "token": "t", "organization_id": 7, "requests_per_second": None,
}  # fmt: skip


ROW = {"contract_id": 6666, "issue_date": "19/09/2016", "gross_value": "100.0", "state": "to_emit"}


@pytest.fixture
def page(invoice) -> Callable[..., Act]:
    def answer(number: int, total: int, ids: list[int], per_page: int = 2) -> Act:
        invoices = [invoice(found) for found in ids]
        return Act(body={"page": number, "per_page": per_page, "total_pages": total, "invoices": invoices})

    return answer


def _ids(client, **limits):
    return [found.id for found in client.search_invoices(per_page=2, **limits)]


def _asked(server):
    return [int(seen.query["page"][0]) for seen in server.seen]


def test_pages_are_read_until_one_is_empty_and_the_last_one_twice(server, client, page):
    server.play(page(1, 3, [1, 2]), page(2, 3, [3, 4]), page(3, 3, [5]), page(3, 3, [5]), page(4, 3, []))
    assert _ids(client) == [1, 2, 3, 4, 5]
    assert _asked(server) == [1, 2, 3, 3, 4]


def test_a_last_page_that_is_full_needs_no_second_reading(server, client, page):
    server.play(page(1, 2, [1, 2]), page(2, 2, [3, 4]), page(3, 2, []))
    assert _ids(client) == [1, 2, 3, 4]
    assert _asked(server) == [1, 2, 3]


@pytest.mark.parametrize("total", [0, 1])
def test_nothing_found_is_confirmed(server, client, page, total):
    server.play(page(1, total, []))
    assert _ids(client) == []
    assert _asked(server) == [1, 1]


def test_a_total_that_is_too_small_is_not_believed(server, client, page):
    server.play(page(1, 1, [1, 2]), page(2, 1, [3, 4]), page(3, 1, []))
    assert _ids(client) == [1, 2, 3, 4]


def test_a_last_page_that_was_cut_short_is_read_until_it_is_whole(server, client, page):
    server.play(page(1, 1, [], 9), page(1, 1, [1, 2], 9), page(2, 1, [], 9))
    assert _ids(client) == [1, 2]
    server.play(page(1, 1, [1, 2], 9), page(1, 1, [1], 9), page(1, 1, [1, 2], 9), page(2, 1, [], 9))
    assert _ids(client) == [1, 2]


def test_a_page_in_the_middle_that_was_cut_short_is_read_again(server, client, page):
    server.play(page(1, 2, [1]), page(1, 2, [1, 2]), page(2, 2, [3]), page(2, 2, [3]), page(3, 2, []))
    assert _ids(client) == [1, 2, 3]


def test_a_page_that_stays_short_is_an_error_and_no_row_is_missed_in_silence(server, client, page):
    server.play(page(1, 2, [1]))
    with pytest.raises(TransientApiError, match=r"^rows could be missing: page 1 came back with a different part"):
        _ids(client)


def test_a_page_that_is_empty_before_the_last_one_is_read_again(server, client, page):
    server.play(page(1, 2, []), page(1, 2, [1, 2]), page(2, 2, [3, 4]), page(3, 2, []))
    assert _ids(client) == [1, 2, 3, 4]


def test_a_last_page_that_never_settles_is_an_error(server, client, page):
    server.play(*[page(1, 1, [number], 9) for number in range(1, 6)])
    with pytest.raises(TransientApiError, match="rows could be missing: page 1"):
        _ids(client)


@pytest.mark.parametrize(
    "first_reading",
    [
        [(1, 3, [1, 2]), (2, 2, [4, 5]), (3, 2, [])],
        [(1, 2, [1, 2]), (2, 3, [2, 3]), (3, 3, [4, 5]), (4, 3, [])],
    ],
    ids=["pages went away", "pages were added and a row came twice"],
)
def test_where_rows_moved_meanwhile_everything_is_read_again_and_each_row_comes_once(
    server, client, page, first_reading
):
    again = [page(1, 3, [1, 2]), page(2, 3, [3, 4]), page(3, 3, [5, 6]), page(4, 3, [])]
    server.play(*[page(*each) for each in first_reading], *again)
    found = _ids(client)
    assert sorted(found) == [1, 2, 3, 4, 5, 6]


def test_what_is_known_by_now_is_counted_and_not_read_again(server, client, page, monkeypatch):
    read = []
    monkeypatch.setattr(transport, "read_record", lambda model, item: read.append(item["id"]) or real(model, item))
    server.play(
        page(1, 2, [1, 2]), page(2, 2, [2, 3]), page(3, 2, []),
        page(1, 2, [1, 2]), page(2, 2, [3, 4]), page(3, 2, []),
        page(1, 2, [1, 2]), page(2, 2, [3, 4]), page(3, 2, []),
    )  # fmt: skip
    assert _ids(client) == [1, 2, 3, 4]
    assert read == [1, 2, 3, 4]


def test_records_of_contracts_that_are_not_asked_for_are_counted_and_not_read(server, client, act, invoice):
    others = [invoice(2) | {"contract_id": 1, "gross_value": 0.5}, {"invoice": invoice(3) | {"contract_id": "1"}}]
    nobodys = {"id": 4, "contract_id": None}
    page = {"page": 1, "per_page": 5, "total_pages": 1}
    full = act(body=page | {"invoices": [invoice(1), *others, nobodys, invoice(5)]})
    server.play(full, act(body=page | {"page": 2, "invoices": []}))
    found = client.search_invoices(of_contracts={6666})
    assert [each.id for each in found] == [1, 5]
    assert [odd.id for odd in found.odd] == [4]
    assert found.requests == 2


def test_a_search_goes_on_until_nothing_is_new_also_of_other_contracts(server, client, act, invoice):
    def answer(number, *rows):
        return act(body={"page": number, "per_page": 2, "total_pages": 2, "invoices": list(rows)})

    mine, others = [invoice(each) for each in range(5)], [invoice(9 + each) | {"contract_id": 1} for each in range(5)]
    server.play(
        answer(1, others[0], mine[0]), answer(2, mine[0], others[1]), answer(3),
        answer(1, others[2], mine[0]), answer(2, mine[0], others[1]), answer(3),
        answer(1, others[2], mine[1]), answer(2, mine[0], others[1]), answer(3),
        answer(1, others[2], mine[1]), answer(2, mine[0], others[1]), answer(3),
    )  # fmt: skip
    assert [each.id for each in client.search_invoices(of_contracts={6666}, per_page=2)] == [0, 1]


def test_a_server_that_always_repeats_a_row_is_read_twice_and_no_more(server, client, page):
    reading = [page(1, 2, [1, 2]), page(2, 2, [2, 3]), page(3, 2, [])]
    server.play(*reading, *reading)
    assert _ids(client) == [1, 2, 3]
    assert _asked(server) == [1, 2, 3, 1, 2, 3]


def test_rows_that_never_stand_still_are_an_error(server, client, page):
    server.play(
        *[
            act
            for reading in range(8)
            for act in (page(1, 1 + reading % 3, [1, 2]), page(2, 1, [2, 10 + reading]), page(3, 1, []))
        ]
    )
    with pytest.raises(TransientApiError, match="rows moved from page to page in 8 readings"):
        _ids(client)


def test_a_row_that_a_page_repeats_comes_once_and_costs_no_reading(server, client, page):
    server.play(page(1, 1, [1, 1]), page(2, 1, []))
    assert _ids(client) == [1]
    assert _asked(server) == [1, 2]


def test_a_server_that_ignores_the_page_does_not_hold_the_client_for_ever(server, client, page):
    server.play(*[page(number, 1, [1, 2]) for _ in range(2) for number in (1, 2)])
    assert _ids(client) == [1, 2]


def test_a_server_that_answers_the_last_page_for_every_later_one_is_understood(server, client, page):
    last = [page(2, 2, [3])] * 2
    server.play(page(1, 2, [1, 2]), *last, *last, page(1, 3, [1], per_page=1), page(2, 3, [2], per_page=1),
                page(3, 3, [3], per_page=1), page(3, 3, [3], per_page=1))  # fmt: skip
    assert _ids(client) == [1, 2, 3]


def test_another_page_than_was_asked_for_is_not_taken_for_the_last(server, client, page):
    server.play(page(1, 3, [1, 2]), page(3, 3, [5]))
    with pytest.raises(UnreadableAnswerError, match="page 2 was asked for, page 3 came"):
        _ids(client)


def test_a_server_that_serves_smaller_pages_than_asked_for_is_understood(server, client, page):
    server.play(page(1, 2, [1], per_page=1), page(2, 2, [2], per_page=1), page(3, 2, [], per_page=1))
    assert _ids(client) == [1, 2]


def test_many_pages_are_read_some_at_once_each_once_and_come_in_order(invoice):
    pages, asked, four_at_once = 9, [], Barrier(4, timeout=10)

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        asked.append(number)
        if 2 <= number <= 5:
            four_at_once.wait()
        rows = [invoice(2 * number - 1), invoice(2 * number)] if number <= pages else []
        return httpx.Response(200, json={"page": number, "per_page": 2, "total_pages": pages, "invoices": rows})

    with BillimaticClient(**SETTINGS, max_connections=4, transport=httpx.MockTransport(answer)) as client:
        assert _ids(client) == list(range(1, 2 * pages + 1))
    assert sorted(asked) == list(range(1, pages + 2))


def test_a_search_ends_while_others_go_on_creating(invoice):
    rows, begun_with = [invoice(number) for number in range(1, 10)], 9

    def answer(request: httpx.Request) -> httpx.Response:
        number, per_page = int(request.url.params["page"]), 4
        page = {"page": number, "per_page": per_page, "total_pages": -(-len(rows) // per_page)}
        page["invoices"] = rows[(number - 1) * per_page : number * per_page]
        rows.append(invoice(len(rows) + 1))
        return httpx.Response(200, json=page)

    with BillimaticClient(**SETTINGS, max_connections=1, transport=httpx.MockTransport(answer)) as client:
        found = _ids(client)
    assert found == list(range(1, len(found) + 1))
    assert len(found) > begun_with


class _Growing:
    """A vendor whose rows have an order of their own; another one is created between any two answers."""

    def __init__(self, places: list[int], there: int, per_page: int) -> None:
        self._places = iter(places)
        self._per_page = per_page
        self.ids = list(range(1, there + 1))
        self.begun_with = frozenset(self.ids)

    def answer(self, request: httpx.Request) -> httpx.Response:
        number, size = int(request.url.params["page"]), self._per_page
        rows = [{**ROW, "id": found} for found in self.ids[(number - 1) * size : number * size]]
        body = {"page": number, "per_page": size, "total_pages": -(-len(self.ids) // size), "invoices": rows}
        if (place := next(self._places, None)) is not None:
            self.ids.insert(place % (len(self.ids) + 1), len(self.ids) + 1)
        return httpx.Response(200, json=body)


@given(
    places=st.lists(st.integers(0, 99), max_size=60) | st.integers(0, 60).map(lambda times: [0] * times),
    there=st.integers(0, 17),
    per_page=st.integers(2, 4),
)
def test_a_search_ends_with_all_that_was_there_while_others_go_on_creating_anywhere(places, there, per_page):
    vendor = _Growing(places, there, per_page)
    with BillimaticClient(**SETTINGS, max_connections=1, transport=httpx.MockTransport(vendor.answer)) as client:
        found = [each.id for each in client.search_invoices(per_page=per_page)]
    assert vendor.begun_with <= set(found)
    assert len(found) == len(set(found))


def _page(ids: list[int], number: int, size: int) -> httpx.Response:
    rows = [{**ROW, "id": found} for found in ids[(number - 1) * size : number * size]]
    return httpx.Response(
        200, json={"page": number, "per_page": size, "total_pages": -(-len(ids) // size), "invoices": rows}
    )


def _asked_for(request: httpx.Request) -> tuple[int, int]:
    return int(request.url.params["page"]), int(request.url.params["per_page"])


def test_a_middle_page_that_stays_stale_hides_no_row():
    """Somewhere page 2 is kept as it was before row 26 came; page 1 then has row 16 no more, and no page has."""
    old = list(range(25, 0, -1))

    def answer(request: httpx.Request) -> httpx.Response:
        asked = _asked_for(request)
        return _page(old if asked == (2, 10) else [26, *old], *asked)

    with BillimaticClient(**SETTINGS, transport=httpx.MockTransport(answer)) as client:
        assert {each.id for each in client.search_invoices(per_page=10)} == {26, *old}


@given(seed=st.integers(0, 10**9), there=st.integers(21, 60))
def test_rows_that_change_places_from_page_to_page_are_all_found_or_the_search_fails(seed, there):
    """As a database gives rows of one day, in whatever order, where nothing else orders them."""

    def answer(request: httpx.Request) -> httpx.Response:
        number, size = _asked_for(request)
        ids = list(range(there))
        Random(f"{seed} {number * size}").shuffle(ids)  # noqa: S311 - no secret
        return _page(ids, number, size)

    with BillimaticClient(**SETTINGS, max_connections=1, transport=httpx.MockTransport(answer)) as client:
        try:
            found = {each.id for each in client.search_invoices(per_page=20)}
        except RowsMovedError:
            return
    assert found == set(range(there))


def test_a_row_that_is_pushed_past_a_page_which_was_read_ahead_is_not_missed(invoice):
    """Pages 3 and 4 are answered, then a row is created on page 2, which pushes another one from there to page 3.

    The total, which is not to be trusted, does not tell.
    """
    ids, pages, read_ahead = list(range(1, 9)), (2, 3, 4), Barrier(3, timeout=10)

    def answer(request: httpx.Request) -> httpx.Response:
        number, is_first_reading = int(request.url.params["page"]), 9 not in ids
        if number == pages[0] and is_first_reading:
            read_ahead.wait()
            ids.insert(3, 9)
        rows = [invoice(found) for found in ids[2 * number - 2 : 2 * number]]
        body = {"page": number, "per_page": 2, "total_pages": pages[-1], "invoices": rows}
        if number in pages[1:] and is_first_reading:
            read_ahead.wait()
        return httpx.Response(200, json=body)

    with BillimaticClient(**SETTINGS, max_connections=4, transport=httpx.MockTransport(answer)) as client:
        assert set(_ids(client)) == set(range(1, 10))


def test_an_odd_row_spoils_no_other_and_is_named(server, client, act, invoice):
    odd = {"id": 2, "contract_id": 7, "issue_date": "gestern", "gross_value": "1.0", "state": "to_emit"}
    rows = {"page": 1, "per_page": 3, "total_pages": 1, "invoices": [invoice(1), odd, invoice(3)]}
    server.play(act(body=rows), act(body={**rows, "page": 2, "invoices": []}))
    search = client.search_invoices(per_page=3)
    assert [found.id for found in search] == [1, 3]
    [found] = search.odd
    assert (found.id, found.contract_id, found.fields, found.payload) == (2, 7, ("issue_date",), odd)
    assert "gestern" not in str(found)


def test_whoever_needs_every_row_is_told_of_an_odd_one(server, client, act, invoice):
    rows = {"page": 1, "per_page": 2, "total_pages": 1, "invoices": [invoice(1), {"id": 2}]}
    server.play(act(body=rows), act(body={**rows, "page": 2, "invoices": []}))
    with pytest.raises(UnreadableAnswerError, match=r"^invoice 2 cannot be read: .*issue_date is missing"):
        list(client.search_invoices(per_page=2).whole())


def test_a_server_that_does_not_know_the_filter_by_contract_gives_nobody_elses_invoices(server, client, act, invoice):
    rows = {"page": 1, "per_page": 2, "total_pages": 1, "invoices": [invoice(1, contract_id=5), invoice(2)]}
    server.play(act(body=rows), act(body={**rows, "page": 2, "invoices": []}))
    assert _ids(client, contract_id=5) == [1]
    assert server.seen[0].query["q[contract_id_eq]"] == ["5"]


def test_an_odd_row_that_does_not_say_whose_it_is_is_the_contracts_that_was_asked_for(server, client, act, invoice):
    rows = {"page": 1, "per_page": 2, "total_pages": 1, "invoices": [invoice(1, contract_id=None), invoice(2)]}
    server.play(act(body=rows), act(body={**rows, "page": 2, "invoices": []}))
    search = client.search_invoices(per_page=2, contract_id=5)
    assert list(search) == []
    assert [(odd.id, odd.contract_id, odd.fields) for odd in search.odd] == [(1, 5, ("contract_id",))]


@pytest.mark.parametrize(
    "body",
    [
        {"invoices": []},
        {"invoices": [], "page": 1, "total_pages": None},
        {"invoices": [], "page": 2, "total_pages": 2},
        {"page": 1, "total_pages": 1},
        [],
        {"invoices": {}},
    ],
)
def test_a_page_that_does_not_say_where_it_stands_is_unreadable(server, client, act, body):
    server.play(act(body=body))
    with pytest.raises(UnreadableAnswerError):
        _ids(client)


LIMITS: dict[str, Any] = {
    "issue_date_from": date(2025, 1, 1),
    "issue_date_to": date(2025, 1, 31),
    "due_date_from": date(2025, 2, 1),
    "due_date_to": date(2025, 2, 28),
    "state": "to_emit",
    "customer_id": 7,
    "customer_type": "Person",
    "contract_id": 5,
}


def test_the_limits_are_sent_as_the_api_names_them(server, client, page):
    server.play(page(1, 0, []))
    assert _ids(client, **LIMITS) == []
    assert server.seen[0].path == "/api/v1/organizations/564/invoices/search"
    assert server.seen[0].query == {
        "q[issue_date_gteq]": ["01-01-2025"],
        "q[issue_date_lteq]": ["31-01-2025"],
        "q[receivables_due_date_gteq]": ["01-02-2025"],
        "q[receivables_due_date_lteq]": ["28-02-2025"],
        "q[state_eq]": ["to_emit"],
        "q[customer_id_eq]": ["7"],
        "q[customer_type_eq]": ["Person"],
        "q[contract_id_eq]": ["5"],
        "page": ["1"],
        "per_page": ["2"],
    }


def test_a_customer_is_asked_for_with_its_type(client):
    with pytest.raises(ValueError, match="customer_id needs customer_type"):
        client.search_invoices(customer_id=7)


def test_tax_documents_are_searched_by_field_and_operator(server, client, act):
    page = {"page": 1, "per_page": 100, "total_pages": 1, "nfses": [{"id": 1, "invoice_id": 62, "status": "Emitida"}]}
    server.play(act(body=page), act(body=page), act(body={**page, "page": 2, "nfses": []}))
    filters = {"status_eq": 1, "generated_at_gteq": date(2024, 8, 5), "id_in": [10, 11], "value_not_in": ("1.5",)}
    assert [(found.invoice_id, found.status) for found in client.search_nfses(filters)] == [(62, "Emitida")]
    assert server.seen[0].path == "/api/v1/organizations/564/nfses/search"
    assert server.seen[0].query == {
        "q[status_eq]": ["1"],
        "q[generated_at_gteq]": ["05/08/2024"],
        "q[id_in][]": ["10", "11"],
        "q[value_not_in][]": ["1.5"],
        "page": ["1"],
        "per_page": ["100"],
    }


@pytest.mark.parametrize("filters", [{"status": 1}, {"id_in": 10}, {"id_eq": [10]}, {"id_not_in": "10"}])
def test_a_filter_of_tax_documents_that_has_no_operator_or_not_its_values_is_refused(client, filters):
    with pytest.raises(ValueError, match="the operators are"):
        client.search_nfses(filters)
