"""Pages over what is live and what is kept."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from history_database import HistoryDatabase
from hypothesis import given, settings, strategies as st
from runcast.core.errors import InvalidInput
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Execution, Status
from runcast.core.execution.page import Order, OrderField, PageRequest, encode_place, paginate
from runcast.core.history.store import HistoryStore
from samples import an_execution
from virtual_clock import VirtualClock

NOW = 9
NAMES = ("Demo", "demo", "Straße", "STRASSE", "ﬀ", "a\0b", "\ud800x", "\ue000x", "\U0001f600x")
LABELS = (("team", "a"), ("team", "ab"), ("t", "eama"), ("", ""))
TERMINAL = [status for status in Status if status.terminal]
IDS = st.integers(0, 12).map(lambda number: f"exec_{number}")
SMALL = st.integers(0, 6)


@st.composite
def executions(draw: st.DrawFn) -> Execution:
    """From a small world, so that many are alike."""
    status = draw(st.sampled_from([*Status, *TERMINAL]))
    started = draw(SMALL)
    name = draw(st.sampled_from(NAMES))
    return an_execution(
        draw(IDS),
        pipeline_id=draw(st.sampled_from(["p", "q", "P"])),
        pipeline_name=name,
        input_preview=draw(st.sampled_from(NAMES)),
        started_at=started,
        status=status,
        began_at=draw(st.none() | st.just(started + draw(SMALL))),
        ended_at=started + draw(SMALL) if status.terminal else None,
        labels=tuple(draw(st.lists(st.sampled_from(LABELS), unique=True, max_size=2))),
    )


STATUSES = st.none() | st.frozensets(st.sampled_from(Status))
FILTERS = st.just(EVERYTHING) | st.builds(
    ExecutionFilter,
    status=STATUSES,
    not_status=STATUSES,
    pipeline_id=st.none() | st.frozensets(st.sampled_from(["p", "q", "none"])),
    labels=st.just(()) | st.lists(st.sampled_from(LABELS), max_size=2).map(tuple),
    text=st.none() | st.sampled_from(["", "DEMO", "strasse", "ß", "FF", "\0", "\ud800", "1", "Oﬀ"]),
    started_after=st.none() | SMALL | st.just(-(10**30)),
    started_before=st.none() | SMALL | st.just(10**30),
)
ORDERS = st.builds(Order, st.sampled_from(OrderField), st.booleans())
NUMBERS = SMALL | st.sampled_from([2.5, 10**30, -(10**30), float("inf"), float("-inf")])


@st.composite
def requests(draw: st.DrawFn, order: Order) -> PageRequest:
    values: st.SearchStrategy[Any] = NUMBERS
    if order.field is OrderField.PIPELINE_NAME:
        values = st.sampled_from(NAMES)
    cursors = st.none() | st.tuples(values, IDS).map(encode_place)
    size = draw(st.none() | st.integers(0, 4))
    after, before = draw(cursors), draw(cursors)
    if draw(st.booleans()):
        return PageRequest(first=size, after=after, before=before)
    return PageRequest(last=size, after=after, before=before)


@pytest.fixture(scope="module")
def store(lasting_database: HistoryDatabase) -> Iterator[HistoryStore]:
    store = lasting_database.store(VirtualClock())
    yield store
    store.close()


def keep(store: HistoryStore, many: Collection[Execution]) -> None:
    """These, and nothing else; each was written when it was started, too."""
    store.settle(())
    while store.prune(0, 10**9):
        pass
    store.write([replace(one, status=Status.QUEUED, ended_at=None) for one in many])
    store.write(list(many))


WANTED = ORDERS.flatmap(lambda order: st.tuples(st.just(order), requests(order)))


def by_id(many: list[Execution]) -> dict[str, Execution]:
    return {one.id: one for one in many}


@settings(deadline=None, max_examples=60)
@given(st.lists(executions(), max_size=12), st.lists(executions(), max_size=5), FILTERS, st.data())
def test_a_page_is_the_one_that_paginate_makes_of_all(
    store: HistoryStore,
    kept: list[Execution],
    live: list[Execution],
    filter: ExecutionFilter,
    data: st.DataObject,
) -> None:
    """Whatever is asked for; what is live counts in place of what the file says of it."""
    kept, live = list(by_id(kept).values()), list(by_id(live).values())
    orders = data.draw(st.lists(WANTED, max_size=4))
    in_memory = by_id(live)
    everything = [
        *live,
        *(one for one in kept if one.ended_at is not None and one.id not in in_memory),
    ]
    matching = [one for one in everything if filter.matches(one)]
    counts = Counter(one.status for one in everything if filter.of_any_status().matches(one))
    keep(store, kept)
    for order, request in orders:
        found = store.reader.page(in_memory, filter, order, request, NOW)
        assert found.page == paginate(matching, order, request, NOW)
        assert found.total == len(matching)
        assert found.counts == {status: counts[status] for status in Status}


@settings(deadline=None)
@given(
    st.lists(executions(), max_size=12),
    st.lists(executions(), max_size=5),
    FILTERS,
    st.integers(0, 20) | st.just(10**30),
    st.integers(0, 20),
)
def test_what_ended_last_comes_first(
    store: HistoryStore,
    kept: list[Execution],
    waiting: list[Execution],
    filter: ExecutionFilter,
    offset: int,
    limit: int,
) -> None:
    """Of what the filter finds, also if some of it is still to be written."""
    kept, in_memory = list(by_id(kept).values()), by_id(waiting)
    known = (by_id(kept) | in_memory).values()
    all_of_it = [one for one in known if one.ended_at is not None and filter.matches(one)]
    all_of_it.sort(key=lambda one: (one.ended_at, one.id), reverse=True)
    keep(store, kept)
    found, number = store.reader.ended(in_memory, filter, offset, limit)
    assert (found, number) == (all_of_it[offset : offset + limit], len(all_of_it))


def test_a_cursor_holds_its_place_when_items_come_and_go(store: HistoryStore) -> None:
    """The next page begins after the last item, which has gone, without what has come before it."""
    many = [
        an_execution(f"exec_{n}", started_at=n, ended_at=n, status=Status.COMPLETED)
        for n in range(6)
    ]
    keep(store, many[1:5])
    first = store.reader.page({}, EVERYTHING, Order(), PageRequest(first=2), NOW)
    cursor, gone = first.page.items[-1]
    assert gone == many[3]
    keep(store, [one for one in many if one != gone])
    request = PageRequest(first=2, after=cursor)
    page = store.reader.page({}, EVERYTHING, Order(), request, NOW).page
    assert [one for _, one in page.items] == [many[2], many[1]]
    assert (page.has_previous, page.has_next) == (True, True)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", OrderField)
def test_a_page_is_in_the_order_of_the_ends(
    store: HistoryStore, field: OrderField, descending: bool
) -> None:
    """Though all of it was written first when it was started, and in another order."""
    many = [
        an_execution(
            f"exec_{n}",
            started_at=n,
            ended_at=100 - 5 * n,
            pipeline_name="abcdef"[5 - n],
            status=TERMINAL[n % 3],
        )
        for n in range(6)
    ]
    keep(store, many)
    order, request = Order(field, descending), PageRequest(first=2)
    page = store.reader.page({}, EVERYTHING, order, request, NOW).page
    assert page == paginate(many, order, request, NOW)
    wanted = ExecutionFilter(status=frozenset({Status.FAILED}))
    found = store.reader.page({}, wanted, order, request, NOW)
    assert {one.status for _, one in found.page.items} == {Status.FAILED}
    assert (found.total, found.counts[Status.QUEUED]) == (2, 0)


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        (EVERYTHING, [5, 4, 3, 2, 1, 0]),
        (ExecutionFilter(status=frozenset({Status.FAILED})), [4, 1]),
        (ExecutionFilter(not_status=frozenset({Status.FAILED})), [5, 3, 2, 0]),
        (ExecutionFilter(status=frozenset()), []),
        (ExecutionFilter(pipeline_id=frozenset({"p0", "p5"})), [5, 0]),
        (ExecutionFilter(pipeline_id=frozenset()), []),
        (ExecutionFilter(labels=(("n", "3"),)), [3]),
        (ExecutionFilter(labels=(("n", "3"), ("n", "4"))), []),
        (ExecutionFilter(text="NUMBER 2"), [2]),
        (ExecutionFilter(text="exec_4"), [4]),
        (ExecutionFilter(text="pipeline 1"), [1]),
        (ExecutionFilter(text="number 9"), []),
        (ExecutionFilter(started_after=3), [5, 4]),
        (ExecutionFilter(started_before=2), [1, 0]),
        (ExecutionFilter(started_after=1, started_before=4), [3, 2]),
    ],
)
def test_each_condition_of_a_filter_holds(
    store: HistoryStore, filter: ExecutionFilter, numbers: list[int]
) -> None:
    """By itself; the counts are those of all statuses."""
    many = [
        an_execution(
            f"exec_{n}",
            started_at=n,
            ended_at=n,
            pipeline_id=f"p{n}",
            pipeline_name=f"Pipeline {n}",
            input_preview=f"number {n}",
            labels=(("n", str(n)),),
            status=TERMINAL[n % 3],
        )
        for n in range(6)
    ]
    keep(store, many)
    found = store.reader.page({}, filter, Order(), PageRequest(), NOW)
    assert [one for _, one in found.page.items] == [many[n] for n in numbers]
    counted = Counter(one.status for one in many if filter.of_any_status().matches(one))
    assert (found.total, found.counts) == (len(numbers), {one: counted[one] for one in Status})


@pytest.mark.parametrize("descending", [False, True])
def test_between_cursors_that_have_crossed_there_is_nothing(
    store: HistoryStore, descending: bool
) -> None:
    """But there is something on either side, and it is said."""
    many = [
        an_execution(f"exec_{n}", started_at=n, ended_at=n, status=Status.COMPLETED)
        for n in range(6)
    ]
    keep(store, many)
    order = Order(descending=descending)
    low, high = (encode_place(order.key(many[n], NOW)) for n in (2, 3))
    after, before = (low, high) if descending else (high, low)
    for request in (
        PageRequest(first=2, after=after, before=before),
        PageRequest(last=2, after=after, before=before),
    ):
        page = store.reader.page({}, EVERYTHING, order, request, NOW).page
        assert (page.items, page.has_previous, page.has_next) == ([], True, True)
        assert page == paginate(many, order, request, NOW)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (PageRequest(first=-1), "first"),
        (PageRequest(first=1, last=1), "last"),
        (PageRequest(after="?"), "after"),
        (PageRequest(before=encode_place(("a name", "exec_1"))), "before"),
    ],
)
def test_what_is_off_in_a_request_is_refused(
    store: HistoryStore, asked: PageRequest, path: str
) -> None:
    """As it is for a list in memory."""
    keep(store, [])
    with pytest.raises(InvalidInput) as refused:
        store.reader.page({}, EVERYTHING, Order(), asked, NOW)
    assert refused.value.path == (path,)


def test_more_may_be_live_than_a_statement_has_parameters(store: HistoryStore) -> None:
    """40,000 executions in memory leave out what the file has of them."""
    one = an_execution(status=Status.RUNNING)
    many = [replace(one, id=f"exec_{n}") for n in range(40_000)]
    keep(store, [an_execution("exec_7", status=Status.FAILED, ended_at=2000)])
    found = store.reader.page(by_id(many), EVERYTHING, Order(), PageRequest(first=1), NOW)
    assert (found.total, found.counts[Status.FAILED]) == (40_000, 0)
