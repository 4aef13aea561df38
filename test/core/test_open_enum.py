"""OpenEnum: an enum to the program, a string to everyone else, and never closed."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import weakref
from typing import Any

import pytest
from pydantic import TypeAdapter

import spec
from openai_realtime_client import OpenEnum
from openai_realtime_client.v1 import RealtimeResponse
from protocols import PROTOCOLS, REALTIME, Protocol

StatusEnum = RealtimeResponse.StatusEnum
BRAND_NEW = StatusEnum("brand_new")


def test_a_string_gives_a_value() -> None:
    assert StatusEnum.values() == ["completed", "cancelled", "failed", "incomplete"]
    assert [member.name for member in StatusEnum][:2] == ["COMPLETED", "CANCELLED"]
    assert StatusEnum("completed") is StatusEnum["COMPLETED"] is StatusEnum.COMPLETED
    assert StatusEnum.COMPLETED.is_known
    assert isinstance(BRAND_NEW, StatusEnum)
    assert not BRAND_NEW.is_known
    known = [value in StatusEnum for value in ("completed", "brand_new", BRAND_NEW, None)]
    assert known == [True, False, False, False]
    assert repr(StatusEnum.COMPLETED) == "<StatusEnum.COMPLETED: 'completed'>"
    assert repr(BRAND_NEW) == "<StatusEnum unknown: 'brand_new'>"
    assert BRAND_NEW.value == BRAND_NEW.name == "brand_new"


@pytest.mark.parametrize("wrong", [None, 5, 1.5, b"completed", ["completed"]])
def test_only_a_string_can_be_a_value(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        StatusEnum(wrong)


@pytest.mark.parametrize("member", [StatusEnum.COMPLETED, BRAND_NEW], ids=["known", "unknown"])
def test_value_is_like_its_string_and_comes_back(member: OpenEnum) -> None:
    assert member == member.value != "other"
    assert ({member: 1}[member.value], {member.value: 1}[member]) == (1, 1)
    assert len({member, StatusEnum(member.value)}) == 1
    assert str(member) == f"{member}" == member.value
    assert f"{member:>20}" == member.value.rjust(20)
    assert json.dumps(member) == f'"{member.value}"'
    adapter = TypeAdapter(StatusEnum)
    for again in (
        *(pickle.loads(pickle.dumps(member, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)),
        *(copy.copy(member), copy.deepcopy(member)),
        adapter.validate_json(adapter.dump_json(member)),
    ):
        assert (type(again), again) == (StatusEnum, member)


def test_unknown_values_are_not_kept() -> None:
    value = RealtimeResponse.from_json('{"status": "seen once"}').status
    assert value is not None
    forgotten = weakref.ref(value)
    del value
    gc.collect()
    assert forgotten() is None
    assert len(StatusEnum) == len(StatusEnum.__members__) == 4


def enum_of(schema: dict[str, Any], protocol: Protocol) -> list[str]:
    """The strings that a schema lists, also in a component, an array or a union."""
    node = spec.target(schema, protocol.schemas)
    if "enum" in node:
        return [each for each in node["enum"] if isinstance(each, str)]
    inner = [node["items"]] if "items" in node else spec.members(node)
    return next(filter(None, (enum_of(each, protocol) for each in inner)), [])


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_enum_is_found_by_the_name_of_its_field(protocol: Protocol) -> None:
    fields = [
        (name, field, child)
        for name, schema in protocol.schemas.items()
        for field, child in schema.get("properties", {}).items()
        if enum_of(child, protocol)
    ]
    assert len(fields) > 90 or protocol not in REALTIME
    for name, field, child in fields:
        enum = "".join(word.capitalize() for word in field.split("_")) + "Enum"
        model = getattr(protocol.module, name)
        assert getattr(model, enum).values() == enum_of(child, protocol)
        assert enum not in model.model_fields
