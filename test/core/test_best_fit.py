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
    ("field", "value", "expected"),
    [
        pytest.param("shape", {"name": "a", "radius": 1}, Circle, id="all_required_fields"),
        pytest.param("shape", {"name": "a", "color": "red"}, Named, id="most_known_fields"),
        pytest.param("shape", {"name": "a", "radius": 1, "new": 2}, Circle, id="unknown_field"),
        pytest.param("shape", {"radius": 1}, UnknownModel, id="missing_required_field"),
        pytest.param("shape", {"name": 3}, UnknownModel, id="wrong_type"),
        pytest.param("shape", "a", str, id="text"),
        pytest.param("any_shape", {"x": 1}, dict, id="dictionary_where_one_is_allowed"),
        pytest.param("size", "auto", SizeEnum, id="enum_before_text"),
        pytest.param("size", "new", SizeEnum, id="unknown_value"),
        pytest.param("size", 3, int, id="number"),
    ],
)
def test_member_that_fits(field: str, value: Any, expected: type) -> None:
    drawing = Drawing.from_dict({field: value})
    assert type(getattr(drawing, field)) is expected
    assert drawing.to_dict() == {field: value}
    assert Drawing.from_json(drawing.to_json()) == drawing


def test_instance_and_null_are_kept() -> None:
    circle = Circle(name="a", radius=1)
    drawing = Drawing(shape=circle, notes=["a", None])
    assert drawing.shape is circle
    assert deviations(drawing) == []
