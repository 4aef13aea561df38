"""What a fragment may contain: snippets, and what they become or why they are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import constructs
import spec
import words
from components import prepared
from refusals import Refused, schema_problems
from trees import parsed

PLACE = "components.schemas."
TEXT = ("description", "x-place", "example")


def read(schemas: str) -> Any:
    """Return schemas written in short: `{@A}` is a reference to `A`, and `#A` leads there."""
    schemas = re.sub(r"@(\w+)", r"$ref: '#/components/schemas/\1'", schemas)
    return parsed("{" + re.sub(r"(?<= )#(\w+)", r"'#/components/schemas/\1'", schemas) + "}")


def document(schemas: str, **rest: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Small", "version": "1", "description": "A small one."},
        "servers": [{"url": "https://example.com"}],
        "paths": {},
        "components": {"schemas": read(schemas)},
        **rest,
    }


def taken_in(schemas: str, **rest: Any) -> dict[str, Any]:
    """Return the schemas that are made of some, without their words."""
    written = document(schemas, **rest)
    assert not spec.problems(written)
    result = prepared(written)
    words.fill(result)
    constructs.check(result)
    return without_text(result["components"]["schemas"], of_names=True)


def without_text(node: Any, *, of_names: bool = False) -> Any:
    if isinstance(node, list):
        return [without_text(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {
        key: without_text(value, of_names=key in spec.NAMES)
        for key, value in node.items()
        if of_names or key not in TEXT
    }
    # A reference beside words.
    return node["allOf"][0] if list(node) == ["allOf"] else node


# What is written, and the components that it becomes.
TAKEN_IN = {
    # Types and null
    "several_types": (
        "A: {type: object, properties: {x: {type: [string, integer], minimum: 1, minLength: 2}}}",
        "A: {type: object, properties: {x: {@AX}},}, AX: {anyOf: [{type: string}, {type: "
        "integer, minimum: 1}]}",
    ),
    "type_or_null": (
        "A: {type: object, properties: {x: {type: [string, 'null'], default: null}}}",
        "A: {type: object, properties: {x: {type: string, nullable: true, default: null}}}",
    ),
    "integer_is_a_number": (
        "A: {type: object, properties: {x: {type: [integer, number, 'null']}}}",
        "A: {type: object, properties: {x: {type: number, nullable: true}}}",
    ),
    "null_in_list": (
        "A: {type: object, properties: {x: {type: array, items: {type: [string, 'null']}}}}",
        "A: {type: object, properties: {x: {type: array, items: {type: string, nullable: true}}}}",
    ),
    "null_in_map": (
        "A: {type: object, properties: {x: {additionalProperties: {anyOf: [{type: "
        "integer}, {type: 'null'}]}}}}",
        "A: {type: object, properties: {x: {type: object, additionalProperties: {type: "
        "integer, nullable: true}}}}",
    ),
    "null_in_enum": (
        "A: {type: object, properties: {x: {enum: [a, null]}}}",
        "A: {type: object, properties: {x: {type: string, nullable: true, enum: [a]}}}",
    ),
    "nullable_component": (
        "A: {type: [object, 'null'], properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {@A}, l: {items: {@A}}}}",
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {allOf: [{@A}], nullable: true}, l: {type: array, items: {allOf: "
        "[{@A}], nullable: true}}}}",
    ),
    "tuples": (
        "A: {type: object, properties: {x: {prefixItems: [{type: string}, {type: integer}], "
        "items: false}, y: {prefixItems: [{type: string}]}}}",
        "A: {type: object, properties: {x: {type: array, items: {@AXInner}}, y: {type: array, "
        "items: {}}}}, AXInner: {anyOf: [{type: string}, {type: integer}]}",
    ),
    "any_json": (
        "A: {type: object, properties: {x: true, y: {items: true}, z: {type: array}}}",
        "A: {type: object, properties: {x: {}, y: {type: array, items: {}}, z: {type: "
        "array, items: {}}}}",
    ),
    "unread_keywords": (
        "A: {$comment: c, $schema: s, title: T, xml: {}, x-vendor: 1, type: object, "
        "properties: {x: {type: string, examples: [1], contentMediaType: text/plain, "
        "externalDocs: {}}}}",
        "A: {type: object, properties: {x: {type: string}}}",
    ),
    # Constants and limits
    "constant_number": (
        "A: {type: object, properties: {x: {const: 1}, y: {const: true}}}",
        "A: {type: object, properties: {x: {type: integer, enum: [1]}, y: {type: boolean, "
        "enum: [true]}}}",
    ),
    "mixed_enum": (
        "A: {type: object, properties: {x: {enum: [auto, 1, 2.5]}}}",
        "A: {type: object, properties: {x: {@AX}}}, AX: {anyOf: [{type: string, enum: "
        "[auto]}, {type: number, enum: [1, 2.5]}]}",
    ),
    "exclusive_limits": (
        "A: {type: object, properties: {x: {type: number, exclusiveMinimum: 0}, y: {type: "
        "number, maximum: 3, exclusiveMaximum: true}}}",
        "A: {type: object, properties: {x: {type: number, x-more-than: 0}, y: {type: "
        "number, x-less-than: 3}}}",
    ),
    # Named parts
    "object_in_object": (
        "A: {type: object, properties: {in_put: {type: object, properties: {b: {type: "
        "object, properties: {c: {type: string}}}}}}}",
        "A: {type: object, properties: {in_put: {@AInPut}}}, AInPut: {type: object, "
        "properties: {b: {@AInPutB}}}, AInPutB: {type: object, properties: {c: {type: "
        "string}}}",
    ),
    "object_in_list": (
        "A: {type: object, properties: {x: {items: {type: object, properties: {c: {type: "
        "string}}}}}}",
        "A: {type: object, properties: {x: {type: array, items: {@AXInner}}}}, AXInner: "
        "{type: object, properties: {c: {type: string}}}",
    ),
    "titled_object_in_list": (
        "A: {type: object, properties: {x: {items: {type: object, title: My part, "
        "properties: {c: {type: string}}}}}}",
        "A: {type: object, properties: {x: {type: array, items: {@MyPart}}}}, MyPart: "
        "{type: object, properties: {c: {type: string}}}",
    ),
    "title_of_a_field_is_no_name": (
        "A: {type: object, properties: {x: {type: object, title: Location, properties: "
        "{c: {type: string}}}}}",
        "A: {type: object, properties: {x: {@AX}}}, AX: {type: object, properties: {c: "
        "{type: string}}}",
    ),
    "x_name": (
        "A: {type: object, properties: {x: {type: object, x-name: Place, properties: {c: "
        "{type: string}}}}}",
        "A: {type: object, properties: {x: {@Place}}}, Place: {type: object, properties: "
        "{c: {type: string}}}",
    ),
    "equal_parts_once": (
        "A: {type: object, properties: {x: {type: object, properties: {c: {type: "
        "string}}}, y: {type: object, properties: {c: {type: string}}}}}",
        "A: {type: object, properties: {x: {@AX}, y: {@AX}}}, AX: {type: object, "
        "properties: {c: {type: string}}}",
    ),
    "taken_name_gets_a_number": (
        "A: {type: object, properties: {x: {type: object, properties: {c: {type: "
        "string}}}}}, AX: {type: object, properties: {d: {type: string}}}",
        "A: {type: object, properties: {x: {@AX1}}}, AX: {type: object, properties: {d: "
        "{type: string}}}, AX1: {type: object, properties: {c: {type: string}}}",
    ),
    "map_of_objects_and_enums": (
        "A: {type: object, properties: {x: {additionalProperties: {type: object, "
        "properties: {c: {type: string}}}}, y: {additionalProperties: {enum: [a, b]}}}}",
        "A: {type: object, properties: {x: {type: object, additionalProperties: "
        "{@AXValue}}, y: {type: object, additionalProperties: {@AYValue}}}}, AXValue: "
        "{type: object, properties: {c: {type: string}}}, AYValue: {type: string, enum: "
        "[a, b]}",
    ),
    "nullable_inline_object": (
        "A: {type: object, properties: {x: {anyOf: [{type: object, properties: {c: {type: "
        "string}}}, {type: 'null'}]}}}",
        "A: {type: object, properties: {x: {allOf: [{@AX}], nullable: true}}}, AX: {type: "
        "object, properties: {c: {type: string}}}",
    ),
    "map_beside_properties": (
        "A: {type: object, properties: {x: {type: string}}, additionalProperties: {type: integer}}",
        "A: {type: object, properties: {x: {type: string}}}",
    ),
    "names_of_components": (
        "Body_upload-file: {type: object, properties: {x: {type: string}}}, B: {type: "
        "object, properties: {b: {$ref: '#/components/schemas/Body_upload-file'}}}",
        "BodyUploadFile: {type: object, properties: {x: {type: string}}}, B: {type: "
        "object, properties: {b: {@BodyUploadFile}}}",
    ),
    "name_of_the_package": (
        "ApiResponse: {type: object, properties: {x: {type: string}}}",
        "ModelApiResponse: {type: object, properties: {x: {type: string}}}",
    ),
    "enums_with_one_name": (
        "A: {type: object, properties: {m_1: {enum: [a, b]}, m1: {enum: [c, d]}}}",
        "A: {type: object, properties: {m_1: {type: string, enum: [a, b]}, m1: {@AM1}}}, "
        "AM1: {type: string, enum: [c, d]}",
    ),
    "enum_called_like_a_component": (
        "AEnum: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {enum: [c, d]}}}",
        "AEnum: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {@BA}}}, BA: {type: string, enum: [c, d]}",
    ),
    "property_called_like_a_keyword": (
        "A: {type: object, properties: {default: {$ref: '#/components/schemas/B/properties/x'}}}, "
        "B: {type: object, properties: {x: {type: integer}}}",
        "A: {type: object, properties: {default: {type: integer}}}",
    ),
    # Components that are no class
    "plain_components": (
        "T: {type: string, maxLength: 3}, M: {additionalProperties: {@T}}, N: {type: "
        "integer, enum: [1, 2]}, A: {type: object, properties: {m: {@M}, n: {@N, default: "
        "1}}}",
        "A: {type: object, properties: {m: {type: object, additionalProperties: {type: "
        "string, maxLength: 3}}, n: {type: integer, enum: [1, 2], default: 1}}}",
    ),
    "alias": (
        "A: {type: object, properties: {x: {type: string}}}, B: {@A}, C: {type: object, "
        "properties: {b: {@B}}}",
        "A: {type: object, properties: {x: {type: string}}}, C: {type: object, "
        "properties: {b: {@A}}}",
    ),
    "list_of_itself": (
        "A: {type: array, items: {@A}}, B: {type: object, properties: {a: {@A}}}",
        "B: {type: object, properties: {a: {type: array, items: {}}}}",
    ),
    "union_of_itself": (
        "A: {anyOf: [{type: string}, {type: array, items: {@A}}, {@A}]}",
        "A: {anyOf: [{type: string}, {type: array, items: {}}]}",
    ),
    "unions_of_each_other": (
        "A: {anyOf: [{type: string}, {type: array, items: {@B}}]}, B: {anyOf: [{type: "
        "integer}, {additionalProperties: {@A}}]}",
        "A: {anyOf: [{type: string}, {type: array, items: {@B}}]}, B: {anyOf: [{type: "
        "integer}, {type: object, additionalProperties: {}}]}",
    ),
    # allOf
    "reference_with_text": (
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {title: T, allOf: [{@A}, {description: D.}]}}}",
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {@A}}}",
    ),
    "required_of_base": (
        "A: {type: object, deprecated: true, properties: {x: {type: string}}}, B: {allOf: "
        "[{@A}, {required: [x]}]}",
        "A: {type: object, deprecated: true, properties: {x: {type: string}}}, B: {type: "
        "object, required: [x], properties: {x: {type: string}}}",
    ),
    "inheritance_inline": (
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {y: {allOf: [{@A}, {properties: {z: {type: integer}}}]}}}",
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {y: {@BY}}}, BY: {type: object, properties: {x: {type: string}, z: "
        "{type: integer}}}",
    ),
    # Unions
    "plain_values": (
        "A: {type: object, properties: {x: {anyOf: [{type: string}, {type: array, items: "
        "{type: string}}, {type: boolean}]}}}",
        "A: {type: object, properties: {x: {@AX}}}, AX: {anyOf: [{type: string}, {type: "
        "array, items: {type: string}}, {type: boolean}]}",
    ),
    "two_lists": (
        "A: {anyOf: [{items: {type: string}}, {items: {type: integer}}, {type: boolean}]}",
        "A: {anyOf: [{type: array, items: {@AAnyOfInner}}, {type: boolean}]}, "
        "AAnyOfInner: {anyOf: [{type: string}, {type: integer}]}",
    ),
    "two_enums": (
        "A: {type: object, properties: {x: {oneOf: [{enum: [a, b]}, {enum: [b, c]}]}}}",
        "A: {type: object, properties: {x: {type: string, enum: [a, b, c]}}}",
    ),
    "enum_and_reference_to_enum": (
        "A: {type: string, enum: [a, b]}, B: {oneOf: [{@A}, {enum: [c]}, {type: integer}]}",
        "A: {type: string, enum: [a, b]}, B: {oneOf: [{type: string, enum: [a, b, c]}, "
        "{type: integer}]}",
    ),
    "text_of_two_formats": (
        "A: {type: object, properties: {x: {anyOf: [{type: string, format: uuid}, {type: "
        "string, format: date}]}}}",
        "A: {type: object, properties: {x: {type: string}}}",
    ),
    "union_in_union": (
        "A: {anyOf: [{type: string}, {oneOf: [{type: integer}, {type: boolean}]}]}",
        "A: {anyOf: [{type: string}, {type: integer}, {type: boolean}]}",
    ),
    "union_with_any_json": (
        "A: {type: object, properties: {x: {anyOf: [{type: string}, {}]}}}",
        "A: {type: object, properties: {x: {}}}",
    ),
    "repeated_member": (
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {anyOf: [{@A}, {@A, title: T}, {type: 'null'}]}}}",
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, "
        "properties: {a: {allOf: [{@A}], nullable: true}}}",
    ),
    "one_member_with_discriminator": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Pet: "
        "{oneOf: [{@Cat}], discriminator: {propertyName: kind}}",
        "Pet: {oneOf: [{@Cat}], discriminator: {propertyName: kind, mapping: {cat: #Cat}}}",
    ),
    # What distinguishes members
    "discriminator_inferred": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, {@Dog}]}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{cat: #Cat, dog: #Dog}}}",
    ),
    "discriminator_without_mapping": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{cat: #Cat, dog: #Dog}}}",
    ),
    "mapping_of_names": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind, mapping: {dog: Dog, cat: Cat}}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{dog: #Dog, cat: #Cat}}}",
    ),
    "mapping_gives_constants": (
        "Cat: {type: object, properties: {kind: {type: string}}}, Dog: {type: object, "
        "properties: {kind: {type: string}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind, mapping: {meow: Cat}}}",
        "Cat: {type: object, properties: {kind: {type: string, enum: [meow]}}}, Dog: "
        "{type: object, properties: {kind: {type: string, enum: [Dog]}}}, Pet: {oneOf: "
        "[{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {meow: #Cat, Dog: "
        "#Dog}}}",
    ),
    "members_with_titles": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat, title: "
        "C}, {@Dog, description: D}], discriminator: {propertyName: kind, mapping: {cat: "
        "Cat, dog: Dog}}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{cat: #Cat, dog: #Dog}}}",
    ),
    "second_property_distinguishes": (
        "A: {type: object, properties: {o: {const: item}, kind: {const: a}}}, B: {type: "
        "object, properties: {o: {const: item}, kind: {enum: [b, c]}}}, U: {anyOf: [{@A}, "
        "{@B}]}",
        "U: {anyOf: [{@A}, {@B}], discriminator: {propertyName: kind, mapping: {a: #A, b: "
        "#B, c: #B}}}",
    ),
    "nested_discriminators": (
        "A: {type: object, properties: {type: {const: message}, role: {const: user}}}, B: "
        "{type: object, properties: {type: {const: message}, role: {const: system}}}, C: "
        "{type: object, properties: {type: {const: call}}}, U: {anyOf: [{@A}, {@B}, "
        "{@C}]}",
        "U: {anyOf: [{@UMessage}, {@C}], discriminator: {propertyName: type, mapping: "
        "{message: #UMessage, call: #C}}}, UMessage: {anyOf: [{@A}, {@B}], discriminator: "
        "{propertyName: role, mapping: {user: #A, system: #B}}}",
    ),
    "objects_in_a_union": (
        "A: {type: object, properties: {x: {oneOf: [{type: string}, {type: object, "
        "description: C., properties: {k: {const: c}}}, {title: The D, type: object, "
        "properties: {k: {const: d}}}]}}}",
        "A: {type: object, properties: {x: {@AX}}}, AX: {oneOf: [{type: string}, {@AXOneOf1}, "
        "{@TheD}], discriminator: {propertyName: k, mapping: {c: #AXOneOf1, d: #TheD}}}",
    ),
    "enum_before_text": (
        "A: {type: object, properties: {x: {anyOf: [{type: string}, {enum: [a, b]}, "
        "{type: integer}]}}}",
        "AX: {anyOf: [{type: string, enum: [a, b]}, {type: string}, {type: integer}]}",
    ),
    "recursion_that_a_union_ends": (
        "A: {type: object, required: [k, u], properties: {k: {const: a}, u: {@U}}}, B: {type: "
        "object, properties: {k: {const: b}}}, U: {anyOf: [{@A}, {@B}]}",
        "U: {anyOf: [{@A}, {@B}], discriminator: {propertyName: k, mapping: {a: #A, b: #B}}}",
    ),
    "string_or_objects": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {anyOf: [{type: string}, "
        "{@Cat}, {@Dog}]}",
        "Pet: {anyOf: [{type: string}, {@Cat}, {@Dog}], discriminator: {propertyName: "
        "kind, mapping: {cat: #Cat, dog: #Dog}}}",
    ),
    "most_specific_first": (
        "A: {type: object, properties: {x: {type: string}}}, B: {type: object, required: "
        "[x, y], properties: {x: {}, y: {}}}, U: {anyOf: [{type: string}, {@A}, {@B}]}",
        "U: {anyOf: [{@B}, {@A}, {type: string}], x-untagged: true}",
    ),
    "object_or_map": (
        "A: {type: object, properties: {x: {type: string}}}, U: {anyOf: [{type: object}, {@A}]}",
        "U: {anyOf: [{@A}, {type: object}], x-untagged: true}",
    ),
}


@pytest.mark.parametrize("snippet", TAKEN_IN)
def test_taken_in(snippet: str) -> None:
    written, expected = TAKEN_IN[snippet]
    found = taken_in(written)
    for name, schema in read(expected).items():
        assert found[name] == schema


def test_parts_of_operations_are_named() -> None:
    thing = {"type": "object", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "properties": {"b": {"type": "string"}}}
    operation = {
        "operationId": "get-thing",
        "tags": ["Realtime"],
        "requestBody": {"content": {"application/json": {"schema": thing}}},
        "responses": {"200": {"content": {"application/json": {"schema": {"items": other}}}}},
    }
    found = taken_in("", paths={"/things": {"post": operation}})
    assert found == {"GetThingRequest": thing, "GetThing200ResponseInner": other}


# What is written, and what is said of it.
REFUSED = {
    "a_false_schema": (
        "A: {type: object, properties: {x: false}}",
        "A.properties.x: `false` allows",
    ),
    "only_null": (
        "A: {type: object, properties: {x: {type: 'null'}}}",
        "A.properties.x.type: only `null`",
    ),
    "unknown_keyword": (
        "A: {type: object, properties: {x: {type: string, minLenght: 3}}}",
        "A.properties.x: `minLenght`: not a keyword that is read",
    ),
    "not": (
        "A: {type: object, properties: {x: {not: {type: string}}}}",
        "`not`: a type cannot",
    ),
    "if": (
        "A: {if: {required: [x]}, properties: {x: {}}}",
        "`if`: write a union of the cases",
    ),
    "pattern_properties": (
        "A: {properties: {x: {}}, patternProperties: {a: {}}}",
        "`patternProperties`: use",
    ),
    "dependent_required": (
        "A: {properties: {x: {}}, dependentRequired: {x: [y]}}",
        "`dependentRequired`: fields cannot",
    ),
    "id": (
        "A: {$id: a, properties: {x: {}}}",
        "A: `$id`: only `$ref` is followed",
    ),
    "in_a_named_part": (
        "A: {type: object, properties: {x: {type: object, properties: {y: {not: {}}}}}}",
        "A.properties.x.properties.y: `not`: a type cannot exclude values",
    ),
    "enum_of_unquoted_numbers": (
        "A: {type: object, properties: {x: {type: string, enum: [1080]}}}",
        "A.properties.x.enum[0]: a value of its `enum` needs quotes",
    ),
    "enum_of_text_for_numbers": (
        "A: {type: object, properties: {x: {type: integer, enum: ['1']}}}",
        "A.properties.x.enum[0]: a value of its `enum` is no number",
    ),
    "empty_enum": (
        "A: {type: object, properties: {x: {type: string, enum: []}}}",
        "without values",
    ),
    "required_without_property": (
        "A: {type: object, required: [y], properties: {x: {type: string}}}",
        "A: `required` names 'y', which is not a property",
    ),
    "deprecated_value": (
        "A: {type: object, properties: {x: {enum: [a], x-deprecated-values: {b: gone}}}}",
        "A.properties.x: `x-deprecated-values` has 'b'",
    ),
    "alias_of_itself": (
        "A: {@B}, B: {@A}",
        "A: its reference leads back to itself",
    ),
    "property_of_itself": (
        "A: {type: object, properties: {x: {$ref: '#/components/schemas/A/properties/x'}}}",
        "A.properties.x: '#/components/schemas/A/properties/x' contains itself",
    ),
    "all_of_itself": (
        "A: {allOf: [{@A}, {properties: {x: {}}}]}",
        "A: 'A' is part of itself",
    ),
    "all_of_a_union": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, "
        "{@Dog}]}, B: {allOf: [{@Pet}, {properties: {x: {}}}]}",
        "B: an `allOf` of a union",
    ),
    "all_of_other_types": (
        "A: {type: object, properties: {x: {type: string}}}, B: {allOf: [{@A}, "
        "{properties: {x: {type: integer}}}]}",
        "B: the parts of its `allOf` differ in the type of 'x'",
    ),
    "endless_recursion": (
        "A: {type: object, required: [b], properties: {b: {@B}}}, B: {type: object, "
        "required: [a], properties: {a: {@A}}}",
        "A: every value would contain another one, without end",
    ),
    "one_of_and_any_of": (
        "A: {oneOf: [{type: string}, {}], anyOf: [{type: string}, {}]}",
        "A: both",
    ),
    "union_with_properties": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "properties: {a: {}}}",
        "Pet: a union with",
    ),
    "discriminator_without_union": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}, "
        "discriminator: {propertyName: kind}}",
        "Cat: a `discriminator` without `oneOf` or `anyOf`",
    ),
    "mapping_against_constant": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind, mapping: {bird: Cat}}}",
        "Pet: `mapping` has 'bird' for Cat, whose kind is ['cat']",
    ),
    "mapping_to_no_member": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {kind: {const: dog}}}, A: {type: object, properties: "
        "{x: {type: string}}}, Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: "
        "{propertyName: kind, mapping: {a: A}}}",
        "Pet: `mapping` leads to A, which is not a member",
    ),
    "member_without_discriminator": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: {type: string}}}, Dog: "
        "{type: object, properties: {x: {}}}, Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind}}",
        "Pet: its member Dog has no property 'kind'",
    ),
    "two_classes_with_one_name": (
        "a_b: {type: object, properties: {x: {}}}, AB: {type: object, properties: {x: {}}}",
        "AB: its class would be called AB, like that of 'a_b'",
    ),
    "event_in_no_union": (
        "Cat: {type: object, properties: {type: {const: cat}}}, Dog: {type: object, properties: "
        "{type: {const: dog}}}, Pet: {x-events: server, oneOf: [{@Cat}, {@Dog}]}, "
        "PetLost: {type: object, properties: {x: {}}}",
        "PetLost: an event that is in no union of events",
    ),
}


def refusal(schemas: str) -> str:
    with pytest.raises(Refused) as caught:
        taken_in(schemas)
    return str(caught.value)


@pytest.mark.parametrize("snippet", REFUSED)
def test_refused(snippet: str) -> None:
    written, expected = REFUSED[snippet]
    first = refusal(written).splitlines()[0]
    assert first.startswith(PLACE)
    assert expected in first


# What is wrong before anything is made of it.
WRONG_SHAPES = {
    "properties_is_a_list": (
        "A: {properties: [x]}",
        'A.properties: `["x"]` where a mapping',
    ),
    "required_is_a_flag": (
        "A: {properties: {x: {required: true}}}",
        "x.required: `required` is a list",
    ),
    "no_such_type": (
        "A: {type: text}",
        "A.type: there is no such type",
    ),
    "boolean_component": ("A: true", "A: a component is a mapping"),
    "constant_list": ("A: {properties: {x: {const: [1]}}}", "x.const: a constant is text"),
    "values_that_are_lists": ("A: {properties: {x: {enum: [[1]]}}}", "x.enum[0]: the values of"),
    "empty_union": (
        "A: {oneOf: []}",
        "A.oneOf: a list of at least one schema is expected",
    ),
    "schema_is_text": (
        "A: nothing",
        'A: `"nothing"` where a mapping is expected',
    ),
    "missing_reference": (
        "A: {properties: {b: {@B}}}",
        "b: '#/components/schemas/B' does not",
    ),
    "wrong_default": (
        "A: {properties: {x: {type: object, default: null}}}",
        "x.default: `null` does not fit",
    ),
    "wrong_example": (
        "A: {properties: {x: {enum: [a], example: b}}}",
        'x.example: `"b"` does not fit',
    ),
    "wrong_item": (
        "A: {properties: {x: {items: {type: string}, type: array, default: [a, 1]}}}",
        "A.properties.x.default[1]: `1` does not fit its schema",
    ),
}


@pytest.mark.parametrize("snippet", WRONG_SHAPES)
def test_wrong_shape(snippet: str) -> None:
    written, expected = WRONG_SHAPES[snippet]
    (problem,) = spec.problems(document(written))
    assert problem.place.startswith(PLACE)
    assert expected in f"{problem.place}: {problem.reason}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("{1: a}", "x: the name 1 needs quotes", id="number_for_a_name"),
        pytest.param("{null: a}", "x: the name null needs quotes", id="null_for_a_name"),
        pytest.param("{true: a}", "x: the name true needs quotes", id="boolean_for_a_name"),
        pytest.param("2024-10-01", "x: a YAML date", id="date"),
        pytest.param("2024-10-01T10:00:00Z", "x: a YAML date", id="time"),
        pytest.param("!!set {a, b}", "x: a YAML set", id="set"),
        pytest.param("!!binary aGk=", "x: a YAML bytes", id="binary"),
        pytest.param("[.nan]", "x[0]: nan is not a number of JSON", id="not_a_number"),
        pytest.param("&a {b: *a}", "x.b: a YAML alias that contains itself", id="loop"),
    ],
)
def test_yaml_that_is_not_json(tmp_path: Path, value: str, reason: str) -> None:
    fragment = tmp_path / "fragment.yaml"
    fragment.write_text(f"x: {value}\n")
    with pytest.raises(Refused) as caught:
        spec.load(fragment)
    assert str(caught.value).startswith(f"{fragment}: {reason}")


# How refusals are told


def test_many_of_one_reason_are_counted() -> None:
    fields = ", ".join(f"f{number}: {{not: {{}}}}" for number in range(30))
    written = prepared(document(f"A: {{type: object, properties: {{{fields}, g: {{if: {{}}}}}}}}"))
    with pytest.raises(Refused) as caught:
        constructs.check(written)
    lines = str(caught.value).splitlines()
    assert lines[2].endswith("cannot exclude values (and 27 more; ALL=1 lists them)")
    assert lines[3].startswith("components.schemas.A.properties.g: `if`")
    # Structure comes before words.
    assert lines[4].endswith("its description is missing")
    assert len(list(caught.value.lines(is_full=True))) == 30 + 1 + 32


def test_a_draft_names_what_is_to_be_written() -> None:
    written = prepared(document("A: {type: object, properties: {max_size: {type: integer}}}"))
    assert words.fill(written) == {
        "schemas": ["components.schemas.A"],
        "properties": ["components.schemas.A.properties.max_size"],
    }
    schema = written["components"]["schemas"]["A"]
    assert schema["properties"]["max_size"]["description"] == "Max size (to be written)."
    assert not list(words.problems(written))


def test_every_construct_of_the_dialect_is_closed() -> None:
    found = prepared(document("A: {type: object, properties: {x: {type: string}}}"))
    for node in (found, found["components"], found["components"]["schemas"]["A"]):
        node["surprise"] = 1
        assert [problem.reason.partition(":")[0] for problem in schema_problems(found)] == [
            "`surprise`"
        ]
        del node["surprise"]
