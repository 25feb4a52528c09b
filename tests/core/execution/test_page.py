"""A list page by page."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import InvalidInput
from runcast.core.execution.model import Execution
from runcast.core.execution.page import (
    DEFAULT_PAGE,
    MAX_PAGE,
    Order,
    OrderField,
    Page,
    PageRequest,
    decode_place,
    encode_place,
    paginate,
)
from samples import an_execution

NOW = 5000
ORDERS = st.builds(Order, st.sampled_from(OrderField), st.booleans())
DISTINCT = st.dictionaries(
    st.integers(0, 30),
    st.tuples(
        st.integers(0, 2),
        st.none() | st.integers(3, 5),
        st.none() | st.integers(6, 9),
        st.sampled_from(["A", "B", "ä😀"]),
    ),
    max_size=20,
)


def made(number: int, started: int, began: int | None, ended: int | None, name: str) -> Execution:
    values = {"started_at": started, "began_at": began, "ended_at": ended, "pipeline_name": name}
    return an_execution(f"exec_{number:02}", **values)


EXECUTIONS = DISTINCT.map(lambda them: [made(number, *values) for number, values in them.items()])


def lasted(execution: Execution) -> int:
    began, ended = execution.began_at, execution.ended_at
    return 0 if began is None else (ended or NOW) - began


def expected_order(executions: list[Execution], order: Order) -> list[Execution]:
    values: dict[OrderField, Callable[[Execution], float | str]] = {
        OrderField.START_TIME: lambda one: one.started_at,
        OrderField.END_TIME: lambda one: one.ended_at or 10_000,
        OrderField.DURATION: lasted,
        OrderField.PIPELINE_NAME: lambda one: one.pipeline_name,
    }
    value = values[order.field]
    return sorted(executions, key=lambda one: (value(one), one.id), reverse=order.descending)


def forward(executions: list[Execution], order: Order, size: int) -> list[Page[Execution]]:
    pages = [paginate(executions, order, PageRequest(first=size), NOW)]
    while pages[-1].has_next and len(pages) <= len(executions):
        after = pages[-1].items[-1][0]
        pages.append(paginate(executions, order, PageRequest(first=size, after=after), NOW))
    return pages


def backward(executions: list[Execution], order: Order, size: int) -> list[Page[Execution]]:
    pages = [paginate(executions, order, PageRequest(last=size), NOW)]
    while pages[0].has_previous and len(pages) <= len(executions):
        before = pages[0].items[0][0]
        pages.insert(0, paginate(executions, order, PageRequest(last=size, before=before), NOW))
    return pages


@given(EXECUTIONS, ORDERS, st.integers(1, 7), st.sampled_from([forward, backward]))
def test_walking_the_pages_gives_the_sorted_list(
    executions: list[Execution],
    order: Order,
    size: int,
    walk: Callable[[list[Execution], Order, int], list[Page[Execution]]],
) -> None:
    """From either end; only the first page has nothing before it, only the last nothing after."""
    pages = walk(executions, order, size)
    walked = [one for page in pages for _, one in page.items]
    assert walked == expected_order(executions, order)
    assert all(len(page.items) <= size for page in pages)
    assert [page.has_previous for page in pages] == [False] + [True] * (len(pages) - 1)
    assert [page.has_next for page in pages] == [True] * (len(pages) - 1) + [False]


@given(EXECUTIONS, EXECUTIONS, ORDERS, st.integers(1, 5), st.data())
def test_a_cursor_holds_its_place_when_items_come_and_go(
    before: list[Execution], after: list[Execution], order: Order, size: int, data: st.DataObject
) -> None:
    """The next page begins right behind the item, also if that one has gone."""
    first = paginate(before, order, PageRequest(first=size), NOW)
    if not first.items:
        return
    cursor, last_seen = first.items[-1]
    kept = data.draw(st.lists(st.sampled_from(before), unique_by=lambda one: one.id), "kept")
    others = [one for one in after if one.id not in {each.id for each in before}]
    now_there = [*kept, *others]
    marked = now_there if last_seen in kept else [*now_there, last_seen]
    whole = expected_order(marked, order)
    expected = whole[whole.index(last_seen) + 1 :]
    page = paginate(now_there, order, PageRequest(first=250, after=cursor), NOW)
    assert [one for _, one in page.items] == expected


@given(EXECUTIONS, ORDERS, st.integers(1, 5), st.integers(0, 9))
def test_a_walk_takes_its_time(
    executions: list[Execution], order: Order, size: int, pause: int
) -> None:
    """What runs meanwhile, or ends, is met once: the list is that of the first page's time."""
    page = paginate(executions, order, PageRequest(first=size), NOW)
    walked = [one.id for _, one in page.items]
    now, later = NOW, executions
    while page.has_next and len(walked) <= len(executions):
        now += pause
        if order.field is OrderField.DURATION:
            later = [replace(one, ended_at=one.ended_at or now) for one in executions]
        page = paginate(later, order, PageRequest(first=size, after=page.items[-1][0]), now)
        walked += [one.id for _, one in page.items]
    assert walked == [one.id for one in expected_order(executions, order)]


@given(EXECUTIONS, ORDERS, st.data())
def test_a_page_can_lie_between_two_cursors(
    executions: list[Execution], order: Order, data: st.DataObject
) -> None:
    """What is asked for beyond an empty stretch is empty."""
    whole = paginate(executions, order, PageRequest(first=MAX_PAGE), NOW).items
    if not whole:
        return
    low = data.draw(st.integers(0, len(whole) - 1))
    high = data.draw(st.integers(0, len(whole) - 1))
    request = PageRequest(after=whole[low][0], before=whole[high][0])
    assert list(paginate(executions, order, request, NOW).items) == list(whole[low + 1 : high])


@given(EXECUTIONS, ORDERS)
def test_no_two_executions_have_the_same_cursor(executions: list[Execution], order: Order) -> None:
    """And each comes back as the key that it was."""
    keys = [order.key(one, NOW) for one in executions]
    cursors = {encode_place(key) for key in keys}
    assert len(cursors) == len(executions)
    assert [decode_place(encode_place(key), "after", order).key for key in keys] == keys


def test_sizes() -> None:
    """One end, within bounds, or the default; 0 tells only whether there is something."""
    assert PageRequest().size() == DEFAULT_PAGE
    assert PageRequest(first=0).size() == 0
    assert PageRequest(last=MAX_PAGE).size() == MAX_PAGE
    nothing = paginate([made(1, 0, None, None, "A")], Order(), PageRequest(first=0), NOW)
    assert (len(nothing.items), nothing.has_next, nothing.has_previous) == (0, True, False)


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (PageRequest(first=1, last=1), "last"),
        (PageRequest(first=-1), "first"),
        (PageRequest(first=MAX_PAGE + 1), "first"),
        (PageRequest(last=-1), "last"),
        (PageRequest(after="?"), "after"),
        (PageRequest(before="ä"), "before"),
    ],
    ids=str,
)
@pytest.mark.parametrize("descending", [True, False])
def test_what_is_off_is_refused_by_its_name(
    request_: PageRequest, path: str, descending: bool
) -> None:
    """In either order."""
    with pytest.raises(InvalidInput) as refused:
        paginate([], Order(descending=descending), request_, NOW)
    assert refused.value.path == (path,)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_a_cursor_or_refused(cursor: str) -> None:
    """Nothing else is raised."""
    try:
        decode_place(cursor, "after", Order())
    except InvalidInput as refused:
        assert refused.path == ("after",)


@pytest.mark.parametrize(
    "json",
    [
        *('"ab"', "[1]", "{}", '["a","b"]', "[1,2]", '[1,"x",2]', '[1,"x",2,3]'),
        *("[" * 9999, "9" * 9999, '[NaN,"x"]', '[true,"x"]'),
    ],
)
def test_a_key_of_another_shape_is_refused(json: str) -> None:
    """As well as one of an order by another kind of value."""
    with pytest.raises(InvalidInput):
        decode_place(base64.urlsafe_b64encode(json.encode()).decode(), "after", Order())
