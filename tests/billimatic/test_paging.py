"""The organization-wide search: rather fail than miss a row."""

from datetime import date

import pytest

from ciclo.billimatic import TransientApiError, UnreadableAnswerError


@pytest.fixture
def page(act, invoice):
    def answer(number, total, ids, per_page=2):
        invoices = [invoice(found) for found in ids]
        return act(body={"page": number, "per_page": per_page, "total_pages": total, "invoices": invoices})

    return answer


def _ids(client, **limits):
    return [found.id for found in client.search_invoices(per_page=2, **limits)]


def _asked(server):
    return [int(seen.query["page"][0]) for seen in server.seen]


def test_every_page_is_read_and_the_last_one_twice(server, client, page):
    server.play(page(1, 3, [1, 2]), page(2, 3, [3, 4]), page(3, 3, [5]), page(3, 3, [5]))
    assert _ids(client) == [1, 2, 3, 4, 5]
    assert _asked(server) == [1, 2, 3, 3]


def test_a_last_page_that_is_full_needs_no_second_reading(server, client, page):
    server.play(page(1, 2, [1, 2]), page(2, 2, [3, 4]))
    assert _ids(client) == [1, 2, 3, 4]
    assert _asked(server) == [1, 2]


@pytest.mark.parametrize("total", [0, 1])
def test_nothing_found_is_confirmed(server, client, page, total):
    server.play(page(1, total, []))
    assert _ids(client) == []
    assert _asked(server) == [1, 1]


def test_a_last_page_that_was_cut_short_is_read_until_it_is_whole(server, client, page):
    server.play(page(1, 1, [], 9), page(1, 1, [1, 2], 9), page(1, 1, [1, 2], 9))
    assert _ids(client) == [1, 2]
    server.play(page(1, 1, [1, 2], 9), page(1, 1, [1], 9), page(1, 1, [1, 2], 9))
    assert _ids(client) == [1, 2]


def test_a_page_in_the_middle_that_was_cut_short_is_read_again(server, client, page):
    server.play(page(1, 2, [1]), page(1, 2, [1, 2]), page(2, 2, [3]), page(2, 2, [3]))
    assert _ids(client) == [1, 2, 3]


def test_a_page_that_stays_short_is_an_error_and_no_row_is_missed_in_silence(server, client, page):
    server.play(page(1, 2, [1]))
    with pytest.raises(TransientApiError, match=r"^rows could be missing: page 1 came back with a different part"):
        _ids(client)


def test_a_last_page_that_never_settles_is_an_error(server, client, page):
    server.play(*[page(1, 1, [number], 9) for number in range(1, 6)])
    with pytest.raises(TransientApiError, match="rows could be missing: page 1"):
        _ids(client)


def test_pages_that_go_away_while_reading_are_an_error(server, client, page):
    server.play(page(1, 3, [1, 2]), page(2, 2, [4, 5]))
    with pytest.raises(TransientApiError, match="rows could be missing: 3 pages became 2 while reading"):
        _ids(client)


def test_pages_that_are_added_while_reading_are_read_and_shifted_rows_come_once(server, client, page):
    server.play(page(1, 2, [1, 2]), page(2, 3, [2, 3]), page(3, 3, [4]), page(3, 3, [4]))
    assert _ids(client) == [1, 2, 3, 4]


def test_a_server_that_serves_smaller_pages_than_asked_for_is_understood(server, client, page):
    server.play(page(1, 2, [1], per_page=1), page(2, 2, [2], per_page=1))
    assert _ids(client) == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        {"invoices": []},
        {"invoices": [], "page": 1, "total_pages": None},
        {"invoices": [], "page": 2, "total_pages": 2},
        {"page": 1, "total_pages": 1},
    ],
)
def test_a_page_that_does_not_say_where_it_stands_is_unreadable(server, client, act, body):
    server.play(act(body=body))
    with pytest.raises(UnreadableAnswerError):
        _ids(client)


def test_the_limits_are_sent_as_the_api_names_them(server, client, page):
    server.play(page(1, 0, []))
    limits = {
        "issue_date_from": date(2025, 1, 1),
        "issue_date_to": date(2025, 1, 31),
        "due_date_from": date(2025, 2, 1),
        "due_date_to": date(2025, 2, 28),
        "state": "to_emit",
    }
    assert _ids(client, **limits) == []
    assert server.seen[0].path == "/api/v1/organizations/564/invoices/search"
    assert server.seen[0].query == {
        "q[issue_date_gteq]": ["2025-01-01"],
        "q[issue_date_lteq]": ["2025-01-31"],
        "q[receivables_due_date_gteq]": ["2025-02-01"],
        "q[receivables_due_date_lteq]": ["2025-02-28"],
        "q[state_eq]": ["to_emit"],
        "page": ["1"],
        "per_page": ["2"],
    }
