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
PETS = "Cat: (kind: {const: cat}, a: <string>), Dog: (kind: {const: dog})"
TEXT = ("description", "x-place", "example")


def read(schemas: str) -> Any:
    """Return schemas written in short.

    `{@A}` is a reference to `A`, and `#A` leads there. `(a: …)` is an object with properties, and
    `<string>` a schema with a type. `PETS` are two classes that `kind` distinguishes.
    """
    schemas = schemas.replace("PETS", PETS).replace("(", "{type: object, properties: {")
    schemas = re.sub(r"<(\w+)>", r"{type: \1}", schemas.replace(")", "}}"))
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
    problems = spec.problems(written)
    if problems:
        raise Refused(problems)
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
        "A: (x: {type: [string, integer], minimum: 1, minLength: 2})",
        "A: {type: object, properties: {x: {@AX}},}, AX: {anyOf: [<string>, {type: integer, "
        "minimum: 1}]}",
    ),
    "type_or_null": (
        "A: (x: {type: [string, 'null'], default: null})",
        "A: (x: {type: string, nullable: true, default: null})",
    ),
    "integer_is_a_number": (
        "A: (x: {type: [integer, number, 'null']})",
        "A: (x: {type: number, nullable: true})",
    ),
    "null_in_list": (
        "A: (x: {type: array, items: {type: [string, 'null']}})",
        "A: (x: {type: array, items: {type: string, nullable: true}})",
    ),
    "null_in_map": (
        "A: (x: {additionalProperties: {anyOf: [<integer>, {type: 'null'}]}})",
        "A: (x: {type: object, additionalProperties: {type: integer, nullable: true}})",
    ),
    "null_in_enum": (
        "A: (x: {enum: [a, null]})",
        "A: (x: {type: string, nullable: true, enum: [a]})",
    ),
    "nullable_component": (
        "A: {type: [object, 'null'], properties: {x: <string>}}, B: (a: {@A}, l: {items: {@A}})",
        "A: (x: <string>), B: (a: {allOf: [{@A}], nullable: true}, l: {type: array, items: "
        "{allOf: [{@A}], nullable: true}})",
    ),
    "tuples": (
        "A: (x: {prefixItems: [<string>, <integer>], items: false}, y: {prefixItems: [<string>]})",
        "A: (x: {type: array, items: {@AXInner}}, y: {type: array, items: {}}), AXInner: {anyOf: "
        "[<string>, <integer>]}",
    ),
    "keywords_of_another_type": (
        "A: (x: {type: string, minimum: 1, properties: {y: {}}}, y: {type: array, properties: {}})",
        "A: (x: <string>, y: {type: array, items: {}})",
    ),
    "any_json": (
        "A: (x: true, y: {items: true}, z: {type: array})",
        "A: (x: {}, y: {type: array, items: {}}, z: {type: array, items: {}})",
    ),
    "unread_keywords": (
        "A: {$comment: c, $schema: s, title: T, xml: {}, x-vendor: 1, "
        "unevaluatedProperties: false, type: object, "
        "properties: {x: {type: string, examples: [1], contentMediaType: text/plain, "
        "externalDocs: {}}}}",
        "A: (x: <string>)",
    ),
    # Constants and limits
    "constant_number": (
        "A: (x: {const: 1}, y: {const: true})",
        "A: (x: {type: integer, enum: [1]}, y: {type: boolean, enum: [true]})",
    ),
    "mixed_enum": (
        "A: (x: {enum: [auto, 1, 2.5]})",
        "A: (x: {@AX}), AX: {anyOf: [{type: string, enum: [auto]}, {type: number, enum: [1, "
        "2.5]}]}",
    ),
    "exclusive_limits": (
        "A: (x: {type: number, exclusiveMinimum: 0}, y: {type: number, maximum: 3, "
        "exclusiveMaximum: true})",
        "A: (x: {type: number, x-more-than: 0}, y: {type: number, x-less-than: 3})",
    ),
    # Named parts
    "object_in_object": (
        "A: (in_put: (b: (c: <string>)))",
        "A: (in_put: {@AInPut}), AInPut: (b: {@AInPutB}), AInPutB: (c: <string>)",
    ),
    "object_in_list": (
        "A: (x: {items: (c: <string>)})",
        "A: (x: {type: array, items: {@AXInner}}), AXInner: (c: <string>)",
    ),
    "titled_object_in_list": (
        "A: (x: {items: {type: object, title: My part, properties: {c: <string>}}})",
        "A: (x: {type: array, items: {@MyPart}}), MyPart: (c: <string>)",
    ),
    "title_of_a_field_is_no_name": (
        "A: (x: {type: object, title: Location, properties: {c: <string>}})",
        "A: (x: {@AX}), AX: (c: <string>)",
    ),
    "x_name": (
        "A: (x: {type: object, x-name: Place, properties: {c: <string>}})",
        "A: (x: {@Place}), Place: (c: <string>)",
    ),
    "equal_parts_once": (
        "A: (x: (c: <string>), y: (c: <string>))",
        "A: (x: {@AX}, y: {@AX}), AX: (c: <string>)",
    ),
    "taken_name_gets_a_number": (
        "A: (x: (c: <string>)), AX: (d: <string>)",
        "A: (x: {@AX1}), AX: (d: <string>), AX1: (c: <string>)",
    ),
    "map_of_objects_and_enums": (
        "A: (x: {additionalProperties: (c: <string>)}, y: {additionalProperties: {enum: [a, b]}})",
        "A: (x: {type: object, additionalProperties: {@AXValue}}, y: {type: object, "
        "additionalProperties: {@AYValue}}), AXValue: (c: <string>), AYValue: {type: string, "
        "enum: [a, b]}",
    ),
    "nullable_inline_object": (
        "A: (x: {anyOf: [(c: <string>), {type: 'null'}]})",
        "A: (x: {allOf: [{@AX}], nullable: true}), AX: (c: <string>)",
    ),
    "map_beside_properties": (
        "A: {type: object, properties: {x: <string>}, additionalProperties: <integer>}",
        "A: (x: <string>)",
    ),
    "names_of_components": (
        "Body_upload-file: (x: <string>), B: (b: {$ref: '#/components/schemas/Body_upload-file'})",
        "BodyUploadFile: (x: <string>), B: (b: {@BodyUploadFile})",
    ),
    "name_of_the_package": ("ApiResponse: (x: <string>)", "ModelApiResponse: (x: <string>)"),
    "name_of_an_import": ("File: (x: <string>)", "ModelFile: (x: <string>)"),
    "enums_with_one_name": (
        "A: (m_1: {enum: [a, b]}, m1: {enum: [c, d]})",
        "A: (m_1: {type: string, enum: [a, b]}, m1: {@AM1}), AM1: {type: string, enum: [c, d]}",
    ),
    "enum_called_like_a_component": (
        "AEnum: (x: <string>), B: (a: {enum: [c, d]})",
        "AEnum: (x: <string>), B: (a: {@BA}), BA: {type: string, enum: [c, d]}",
    ),
    "property_called_like_a_keyword": (
        "A: (default: {$ref: '#/components/schemas/B/properties/x'}), B: (x: <integer>)",
        "A: (default: <integer>)",
    ),
    # Components that are no class
    "plain_components": (
        "T: {type: string, maxLength: 3}, M: {additionalProperties: {@T}}, N: {type: integer, "
        "enum: [1, 2]}, A: (m: {@M}, n: {@N, default: 1})",
        "A: (m: {type: object, additionalProperties: {type: string, maxLength: 3}}, n: {type: "
        "integer, enum: [1, 2], default: 1})",
    ),
    "alias": ("A: (x: <string>), B: {@A}, C: (b: {@B})", "A: (x: <string>), C: (b: {@A})"),
    "list_of_itself": (
        "A: {type: array, items: {@A}}, B: (a: {@A})",
        "B: (a: {type: array, items: {}})",
    ),
    "union_of_itself": (
        "A: {anyOf: [<string>, {type: array, items: {@A}}, {@A}]}",
        "A: {anyOf: [<string>, {type: array, items: {}}]}",
    ),
    "unions_of_each_other": (
        "A: {anyOf: [<string>, {type: array, items: {@B}}]}, B: {anyOf: [<integer>, "
        "{additionalProperties: {@A}}]}",
        "A: {anyOf: [<string>, {type: array, items: {@B}}]}, B: {anyOf: [<integer>, {type: "
        "object, additionalProperties: {}}]}",
    ),
    # allOf
    "reference_with_text": (
        "A: (x: <string>), B: (a: {title: T, allOf: [{@A}, {description: D.}]})",
        "A: (x: <string>), B: (a: {@A})",
    ),
    "required_of_base": (
        "A: {type: object, deprecated: true, properties: {x: <string>}}, B: {allOf: [{@A}, "
        "{required: [x]}]}",
        "A: {type: object, deprecated: true, properties: {x: <string>}}, B: {type: object, "
        "required: [x], properties: {x: <string>}}",
    ),
    "inheritance_inline": (
        "A: (x: <string>), B: (y: {allOf: [{@A}, {properties: {z: <integer>}}]})",
        "A: (x: <string>), B: (y: {@BY}), BY: (x: <string>, z: <integer>)",
    ),
    # Unions
    "plain_values": (
        "A: (x: {anyOf: [<string>, {type: array, items: <string>}, <boolean>]})",
        "A: (x: {@AX}), AX: {anyOf: [<string>, {type: array, items: <string>}, <boolean>]}",
    ),
    "two_lists": (
        "A: {anyOf: [{items: <string>}, {items: <integer>}, <boolean>]}",
        "A: {anyOf: [{type: array, items: {@AAnyOfInner}}, <boolean>]}, AAnyOfInner: {anyOf: "
        "[<string>, <integer>]}",
    ),
    "two_enums": (
        "A: (x: {oneOf: [{enum: [a, b]}, {enum: [b, c]}]})",
        "A: (x: {type: string, enum: [a, b, c]})",
    ),
    "enum_and_reference_to_enum": (
        "A: {type: string, enum: [a, b]}, B: {oneOf: [{@A}, {enum: [c]}, <integer>]}",
        "A: {type: string, enum: [a, b]}, B: {oneOf: [{type: string, enum: [a, b, c]}, <integer>]}",
    ),
    "text_of_two_formats": (
        "A: (x: {anyOf: [{type: string, format: uuid}, {type: string, format: date}]})",
        "A: (x: <string>)",
    ),
    "union_in_union": (
        "A: {anyOf: [<string>, {oneOf: [<integer>, <boolean>]}]}",
        "A: {anyOf: [<string>, <integer>, <boolean>]}",
    ),
    "union_with_any_json": ("A: (x: {anyOf: [<string>, {}]})", "A: (x: {})"),
    "repeated_member": (
        "A: (x: <string>), B: (a: {anyOf: [{@A}, {@A, title: T}, {type: 'null'}]})",
        "A: (x: <string>), B: (a: {allOf: [{@A}], nullable: true})",
    ),
    "one_member_with_discriminator": (
        "Cat: (kind: {const: cat}, a: <string>), Pet: {oneOf: [{@Cat}], discriminator: "
        "{propertyName: kind}}",
        "Pet: {oneOf: [{@Cat}], discriminator: {propertyName: kind, mapping: {cat: #Cat}}}",
    ),
    # What distinguishes members
    "discriminator_inferred": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}]}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {cat: #Cat, "
        "dog: #Dog}}}",
    ),
    "discriminator_without_mapping": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {cat: #Cat, "
        "dog: #Dog}}}",
    ),
    "mapping_of_names": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {dog: "
        "Dog, cat: Cat}}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {dog: #Dog, "
        "cat: #Cat}}}",
    ),
    "mapping_gives_constants": (
        "Cat: (kind: <string>), Dog: (kind: <string>), Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind, mapping: {meow: Cat}}}",
        "Cat: (kind: {type: string, enum: [meow]}), Dog: (kind: {type: string, enum: [Dog]}), "
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {meow: #Cat, "
        "Dog: #Dog}}}",
    ),
    "members_with_titles": (
        "PETS, Pet: {oneOf: [{@Cat, title: C}, {@Dog, description: D}], discriminator: "
        "{propertyName: kind, mapping: {cat: Cat, dog: Dog}}}",
        "Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {cat: #Cat, "
        "dog: #Dog}}}",
    ),
    "second_property_distinguishes": (
        "A: (o: {const: item}, kind: {const: a}), B: (o: {const: item}, kind: {enum: [b, c]}), U: "
        "{anyOf: [{@A}, {@B}]}",
        "U: {anyOf: [{@A}, {@B}], discriminator: {propertyName: kind, mapping: {a: #A, b: #B, c: "
        "#B}}}",
    ),
    "nested_discriminators": (
        "A: (type: {const: message}, role: {const: user}), B: (type: {const: message}, role: "
        "{const: system}), C: (type: {const: call}), U: {anyOf: [{@A}, {@B}, {@C}]}",
        "U: {anyOf: [{@UMessage}, {@C}], discriminator: {propertyName: type, mapping: {message: "
        "#UMessage, call: #C}}}, UMessage: {anyOf: [{@A}, {@B}], discriminator: {propertyName: "
        "role, mapping: {user: #A, system: #B}}}",
    ),
    "objects_in_a_union": (
        "A: (x: {oneOf: [<string>, {type: object, description: C., properties: {k: {const: c}}}, "
        "{title: The D, type: object, properties: {k: {const: d}}}]})",
        "A: (x: {@AX}), AX: {oneOf: [<string>, {@AXOneOf1}, {@TheD}], discriminator: "
        "{propertyName: k, mapping: {c: #AXOneOf1, d: #TheD}}}",
    ),
    "enum_before_text": (
        "A: (x: {anyOf: [<string>, {enum: [a, b]}, <integer>]})",
        "AX: {anyOf: [{type: string, enum: [a, b]}, <string>, <integer>]}",
    ),
    "recursion_that_a_union_ends": (
        "A: {type: object, required: [k, u], properties: {k: {const: a}, u: {@U}}}, B: (k: "
        "{const: b}), U: {anyOf: [{@A}, {@B}]}",
        "U: {anyOf: [{@A}, {@B}], discriminator: {propertyName: k, mapping: {a: #A, b: #B}}}",
    ),
    "string_or_objects": (
        "PETS, Pet: {anyOf: [<string>, {@Cat}, {@Dog}]}",
        "Pet: {anyOf: [<string>, {@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{cat: #Cat, dog: #Dog}}}",
    ),
    "most_specific_first": (
        "A: (x: <string>), B: {type: object, required: [x, y], properties: {x: {}, y: {}}}, U: "
        "{anyOf: [<string>, {@A}, {@B}]}",
        "U: {anyOf: [{@B}, {@A}, <string>], x-untagged: true}",
    ),
    "object_or_map": (
        "A: (x: <string>), U: {anyOf: [{type: object}, {@A}]}",
        "U: {anyOf: [{@A}, {type: object}], x-untagged: true}",
    ),
}


@pytest.mark.parametrize(("written", "expected"), TAKEN_IN.values(), ids=TAKEN_IN)
def test_taken_in(written: str, expected: str) -> None:
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
    # The shape of what is written
    "properties_is_a_list": ("A: {properties: [x]}", 'A.properties: `["x"]` where a mapping'),
    "required_is_a_flag": (
        "A: {properties: {x: {required: true}}}",
        "x.required: `required` is a list",
    ),
    "no_such_type": ("A: {type: text}", "A.type: there is no such type"),
    "boolean_component": ("A: true", "A: a component is a mapping"),
    "constant_list": ("A: {properties: {x: {const: [1]}}}", "x.const: a constant is text"),
    "values_that_are_lists": ("A: {properties: {x: {enum: [[1]]}}}", "x.enum[0]: the values of"),
    "false_in_a_union": ("A: {oneOf: [false, {}]}", "A.oneOf[0]: `false` allows no value"),
    "false_property": ("A: {properties: {x: false}}", "A.properties.x: `false` allows no value"),
    "wrong_example_of_a_reference": (
        "A: {properties: {b: {@B, example: 1}}}, B: <string>",
        "A.properties.b.example: `1` does not fit its schema",
    ),
    "empty_union": ("A: {oneOf: []}", "A.oneOf: a list of at least one schema is expected"),
    "schema_is_text": ("A: nothing", 'A: `"nothing"` where a mapping is expected'),
    "missing_reference": ("A: {properties: {b: {@B}}}", "b: '#/components/schemas/B' does not"),
    "reference_into_text": (
        "A: {properties: {b: {$ref: '#/openapi/A'}}}",
        "A.properties.b: '#/openapi/A' does not exist",
    ),
    "mapping_to_a_missing_schema": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: "
        "{cat: Cut}}}",
        "Pet: '#/components/schemas/Cut' does not exist",
    ),
    "repeated_value": ("A: {enum: [a, a]}", "A.enum: a value stands twice"),
    "example_of_an_unknown_property": (
        "A: {type: object, properties: {x: {}}, example: {y: 1}}",
        "A.example: there is no property 'y'",
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
        "A: {properties: {x: {items: <string>, type: array, default: [a, 1]}}}",
        "A.properties.x.default[1]: `1` does not fit its schema",
    ),
    # What came out
    "list_without_items": (
        "A: (x: {type: array, items: false})",
        "A.properties.x: `items: false` allows no item",
    ),
    "only_null": ("A: (x: {type: 'null'})", "A.properties.x.type: only `null`"),
    "unknown_keyword": (
        "A: (x: {type: string, minLenght: 3})",
        "A.properties.x: `minLenght`: not a keyword that is read",
    ),
    "not": ("A: (x: {not: <string>})", "`not`: a type cannot"),
    "if": ("A: {if: {required: [x]}, properties: {x: {}}}", "`if`: write a union of the cases"),
    "pattern_properties": (
        "A: {properties: {x: {}}, patternProperties: {a: {}}}",
        "`patternProperties`: use",
    ),
    "dependent_required": (
        "A: {properties: {x: {}}, dependentRequired: {x: [y]}}",
        "`dependentRequired`: fields cannot",
    ),
    "id": ("A: {$id: a, properties: {x: {}}}", "A: `$id`: only `$ref` is followed"),
    "in_a_named_part": (
        "A: (x: (y: {not: {}}))",
        "A.properties.x.properties.y: `not`: a type cannot exclude values",
    ),
    "enum_of_unquoted_numbers": (
        "A: (x: {type: string, enum: [1080]})",
        "A.properties.x.enum[0]: a value of its `enum` needs quotes",
    ),
    "enum_of_text_for_numbers": (
        "A: (x: {type: integer, enum: ['1']})",
        "A.properties.x.enum[0]: a value of its `enum` is not of its `type`",
    ),
    "enum_of_text_for_booleans": (
        "A: (x: {type: boolean, enum: [a]})",
        "A.properties.x.enum[0]: a value of its `enum` is not of its `type`",
    ),
    "enum_of_a_list": (
        "A: (x: {type: array, enum: [a]})",
        "A.properties.x.enum: a value of its `enum` is not of its `type`",
    ),
    "empty_enum": ("A: (x: {type: string, enum: []})", "without values"),
    "required_without_property": (
        "A: {type: object, required: [y], properties: {x: <string>}}",
        "A: `required` names 'y', which is not a property",
    ),
    "deprecated_value": (
        "A: (x: {enum: [a], x-deprecated-values: {b: gone}})",
        "A.properties.x: `x-deprecated-values` has 'b'",
    ),
    "alias_of_itself": ("A: {@B}, B: {@A}", "A: its reference leads back to itself"),
    "property_of_itself": (
        "A: (x: {$ref: '#/components/schemas/A/properties/x'})",
        "A.properties.x: '#/components/schemas/A/properties/x' contains itself",
    ),
    "all_of_itself": ("A: {allOf: [{@A}, {properties: {x: {}}}]}", "A: 'A' is part of itself"),
    "all_of_a_union": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}]}, B: {allOf: [{@Pet}, {properties: {x: {}}}]}",
        "B: an `allOf` of a union",
    ),
    "all_of_other_types": (
        "A: (x: <string>), B: {allOf: [{@A}, {properties: {x: <integer>}}]}",
        "B: the parts of its `allOf` differ in the type of 'x'",
    ),
    "endless_recursion": (
        "A: {type: object, required: [b], properties: {b: {@B}}}, B: {minItems: 1, items: {@A}}",
        "A: every value would contain another one, without end",
    ),
    "one_of_and_any_of": ("A: {oneOf: [<string>, {}], anyOf: [<string>, {}]}", "A: both"),
    "union_with_properties": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}], properties: {a: {}}}",
        "Pet.properties: a union with",
    ),
    "discriminator_without_union": (
        "Cat: {type: object, properties: {kind: {const: cat}, a: <string>}, discriminator: "
        "{propertyName: kind}}",
        "Cat: a `discriminator` without `oneOf` or `anyOf`",
    ),
    "mapping_against_constant": (
        "PETS, Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: kind, mapping: {bird: "
        "Cat}}}",
        "Pet: `mapping` has ['bird'] for Cat, whose kind has ['cat']",
    ),
    "mapping_to_no_member": (
        "PETS, A: (x: <string>), Pet: {oneOf: [{@Cat}, {@Dog}], discriminator: {propertyName: "
        "kind, mapping: {a: A}}}",
        "Pet: `mapping` leads to A, which is not a member",
    ),
    "member_without_discriminator": (
        "Cat: (kind: {const: cat}, a: <string>), Dog: (x: {}), Pet: {oneOf: [{@Cat}, {@Dog}], "
        "discriminator: {propertyName: kind}}",
        "Pet: its member Dog has no property 'kind'",
    ),
    "discriminator_of_numbers": (
        "A: (v: {const: 1}), B: (v: {const: 2}), U: {oneOf: [{@A}, {@B}], discriminator: "
        "{propertyName: v}}",
        "U: 'v' of its member A is not text",
    ),
    "two_parsers_with_one_name": (
        "PETS, Event: {x-events: server, oneOf: [{@A}, {@B}]}, RealtimeEvent: {x-events: server, "
        "oneOf: [{@A}, {@B}]}, A: (type: {const: a}), B: (type: {const: b})",
        "RealtimeEvent: its parse_event would be that of Event",
    ),
    "two_classes_with_one_name": (
        "a_b: (x: {}), AB: (x: {})",
        "AB: its class would be called AB, like that of 'a_b'",
    ),
    "event_in_no_union": (
        "Cat: (type: {const: cat}), Dog: (type: {const: dog}), Pet: {x-events: server, oneOf: "
        "[{@Cat}, {@Dog}]}, PetLost: (x: {})",
        "PetLost: an event that is in no union of events",
    ),
}


@pytest.mark.parametrize(("written", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(written: str, expected: str) -> None:
    with pytest.raises(Refused) as caught:
        taken_in(written)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(PLACE)
    assert expected in line


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


def test_a_draft_names_operations_by_method_and_path() -> None:
    operation = {"responses": {"404": {"description": "There is none."}}}
    written = prepared(document("", paths={"/pets/cats": {"get": operation}}))
    found = words.fill(written)
    assert found["operationIds"] == found["tags"] == ["GET /pets/cats"]
    assert written["paths"]["/pets/cats"]["get"]["operationId"] == "GET_pets_cats"
    constructs.check(written)


def test_every_construct_of_the_dialect_is_closed() -> None:
    found = prepared(document("A: {type: object, properties: {x: {type: string}}}"))
    for node in (found, found["components"], found["components"]["schemas"]["A"]):
        node["surprise"] = 1
        assert [problem.reason.partition(":")[0] for problem in schema_problems(found)] == [
            "`surprise`"
        ]
        del node["surprise"]
