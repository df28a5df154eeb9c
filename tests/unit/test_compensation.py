"""What undoes the work on a line: each task that was done, the last first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.domain.order_tasks import TaskTemplate, compensate, may_be_worked
from provider.domain.orders import OrderState


def plan(work: str, done: str) -> list[str]:
    """`work` as `ship<build,test`: what each task waits for. The answer in the same words, in its order."""
    pairs = [entry.partition("<") for entry in work.split()]
    templates = [TaskTemplate(key, key.title(), tuple(filter(None, deps.split(",")))) for key, _, deps in pairs]
    steps = compensate(templates, set(done.split()))
    return [step.key + ("<" + ",".join(step.depends_on) if step.depends_on else "") for step in steps]


@pytest.mark.parametrize(
    ("work", "done", "undone"),
    [
        ("build ship<build", "", []),
        ("build ship<build", "build", ["build"]),
        ("build ship<build", "build ship", ["ship", "build<ship"]),
        ("dig lay<dig test<lay", "dig lay test", ["test", "lay<test", "dig<lay"]),
        # What lies between was given up: the order stays.
        ("dig lay<dig test<lay", "dig test", ["test", "dig<test"]),
        ("a b c<a,b", "a b c", ["c", "b<c", "a<c"]),
        ("a b<a c<a", "a b c", ["c", "b", "a<b,c"]),
    ],
)
def test_the_last_is_undone_first(work, done, undone):
    assert plan(work, done) == undone


def test_it_says_what_it_undoes_within_the_limit_of_a_name():
    (step,) = compensate([TaskTemplate("a", "x" * 200)], {"a"})
    assert step.name == "Undo: " + "x" * 194
    assert not step.point_of_no_return


@st.composite
def works(draw):
    count = draw(st.integers(1, 7))
    templates = [
        TaskTemplate(str(n), f"Task {n}", tuple(str(d) for d in draw(st.sets(st.integers(0, n - 1))))) if n else
        TaskTemplate("0", "Task 0")
        for n in range(count)
    ]  # fmt: skip
    return templates, draw(st.sets(st.sampled_from([template.key for template in templates])))


@given(works())
def test_nothing_is_undone_before_what_was_built_on_it(work):
    templates, done = work
    steps = compensate(templates, done)
    place = {step.key: at for at, step in enumerate(steps)}
    assert set(place) == done
    below = {template.key: set(template.depends_on) for template in templates}
    for template in templates:
        for key in template.depends_on:
            below[template.key] |= below[key]
    for late in done:
        for early in below[late] & done:
            assert place[late] < place[early]
    assert all(place[key] < place[step.key] for step in steps for key in step.depends_on)


@pytest.mark.parametrize("compensates", [True, False])
@pytest.mark.parametrize("line", list(OrderState))
@pytest.mark.parametrize("order", list(OrderState))
def test_work_moves_in_progress_and_undoing_also_while_the_order_is_cancelled(order, line, compensates):
    leaves = line == "cancellation_in_progress"
    expected = {
        True: leaves and order in ("in_progress", "cancellation_in_progress"),
        False: order == "in_progress" and not leaves,
    }
    assert may_be_worked(order, line, compensates=compensates) == expected[compensates]
