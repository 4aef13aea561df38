"""Unions of objects that no field tells apart."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import pytest

from openai_realtime_client.core.deviations import deviations
from openai_realtime_client.core.model import RealtimeModel, UnknownModel
from openai_realtime_client.core.open_enum import OpenEnum
from openai_realtime_client.core.union import BestFit


class Circle(RealtimeModel):
    name: str
    radius: int


class Named(RealtimeModel):
    name: str
    color: str | None = None


class SizeEnum(OpenEnum):
    AUTO = "auto"


Shape: TypeAlias = Annotated[Circle | Named | str | UnknownModel, BestFit()]
Size: TypeAlias = Annotated[SizeEnum | str | int, BestFit()]
ShapeOrMap: TypeAlias = Annotated[Circle | Named | dict[str, Any], BestFit()]


class Drawing(RealtimeModel):
    shape: Shape | None = None
    any_shape: ShapeOrMap | None = None
    size: Size | None = None
    notes: list[str | None] | None = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"name": "a", "radius": 1}, Circle, id="all_required_fields"),
        pytest.param({"name": "a", "color": "red"}, Named, id="most_known_fields"),
        pytest.param({"name": "a", "radius": 1, "new": 2}, Circle, id="unknown_field"),
        pytest.param({"radius": 1}, UnknownModel, id="missing_required_field"),
        pytest.param({"name": 3}, UnknownModel, id="wrong_type"),
        pytest.param("a", str, id="text"),
    ],
)
def test_member_that_fits(value: Any, expected: type) -> None:
    drawing = Drawing.from_dict({"shape": value})
    assert type(drawing.shape) is expected
    assert drawing.to_dict() == {"shape": value}
    assert Drawing.from_json(drawing.to_json()) == drawing


def test_instance_is_kept() -> None:
    circle = Circle(name="a", radius=1)
    assert Drawing(shape=circle).shape is circle


def test_other_object_is_a_dictionary_where_one_is_allowed() -> None:
    assert Drawing.from_dict({"any_shape": {"x": 1}}).any_shape == {"x": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("auto", SizeEnum, id="known"),
        pytest.param("new", SizeEnum, id="unknown"),
        pytest.param(3, int, id="number"),
    ],
)
def test_enum_is_tried_before_text(value: Any, expected: type) -> None:
    assert type(Drawing.from_dict({"size": value}).size) is expected


def test_null_in_a_list_that_allows_it_is_no_deviation() -> None:
    assert deviations(Drawing.from_dict({"notes": ["a", None]})) == []
