import pytest

from backoffice import claims
from backoffice.claims import Figure
from tests.backoffice.kinds import make_figure, make_kind


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(claims, "KINDS", {})
    monkeypatch.setattr(claims, "FIGURES", {})


def test_a_kind_and_a_figure_are_kept_apart():
    kind, figure = make_kind("seat"), make_figure("seat")

    claims.register(kind)
    claims.register(figure)

    assert list(claims.KINDS.items()) == [("seat", kind)]
    assert list(claims.FIGURES.items()) == [("seat", figure)]


def test_a_second_one_of_the_same_name_is_refused():
    first = make_figure("waiting")
    claims.register(first)

    with pytest.raises(ValueError, match="waiting"):
        claims.register(Figure("waiting", "another", lambda: 0, "auth.view_user", "auth/user/"))

    assert list(claims.FIGURES.items()) == [("waiting", first)]
