"""scip.proto v0.9 (the messages that are read) as protobuf classes, built in memory: the second oracle of the wire reader."""

from __future__ import annotations

from functools import cache
from typing import Any

# message -> fields: name, number, type; "*" repeats, "@name" joins a oneof, "." precedes a message
MESSAGES = {
    "Index": "metadata 1 .Metadata; documents 2 .Document*; external_symbols 3 .SymbolInformation*",
    "Metadata": "version 1 int32; tool_info 2 .ToolInfo; project_root 3 string; text_document_encoding 4 int32",
    "ToolInfo": "name 1 string; version 2 string; arguments 3 string*",
    "Document": "relative_path 1 string; occurrences 2 .Occurrence*; symbols 3 .SymbolInformation*; language 4 string; "
                "text 5 string; position_encoding 6 int32",
    "Signature": "occurrences 2 .Occurrence*; language 4 string; text 5 string",
    "SymbolInformation": "symbol 1 string; documentation 3 string*; relationships 4 .Relationship*; kind 5 int32; "
                         "display_name 6 string; signature_documentation 7 .Signature; enclosing_symbol 8 string",
    "Relationship": "symbol 1 string; is_reference 2 bool; is_implementation 3 bool; is_type_definition 4 bool; "
                    "is_definition 5 bool",
    "SingleLineRange": "line 1 int32; start_character 2 int32; end_character 3 int32",
    "MultiLineRange": "start_line 1 int32; start_character 2 int32; end_line 3 int32; end_character 4 int32",
    "Occurrence": "range 1 int32*; symbol 2 string; symbol_roles 3 int32; override_documentation 4 string*; "
                  "syntax_kind 5 int32; diagnostics 6 .Diagnostic*; enclosing_range 7 int32*; "
                  "single_line_range 8 .SingleLineRange@typed_range; multi_line_range 9 .MultiLineRange@typed_range; "
                  "single_line_enclosing_range 10 .SingleLineRange@typed_enclosing_range; "
                  "multi_line_enclosing_range 11 .MultiLineRange@typed_enclosing_range",
    "Diagnostic": "severity 1 int32; code 2 string; message 3 string; source 4 string; tags 5 int32*",
}


def add_field(message: Any, words: str, scalar_types: dict[str, int]) -> None:
    name, number, kind = words.split()
    kind, _, oneof = kind.partition("@")
    field = message.field.add(name=name, number=int(number), label=3 if kind.endswith("*") else 1)
    kind = kind.removesuffix("*")
    if kind.startswith("."):
        field.type, field.type_name = 11, f".scip{kind}"
    else:
        field.type = scalar_types[kind]
    if oneof:
        names = [declared.name for declared in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
            names.append(oneof)
        field.oneof_index = names.index(oneof)


@cache
def message_classes() -> dict[str, Any]:
    """Return message name → class."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="scip.proto", package="scip", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for words in fields.split(";"):
            add_field(message, words, {"int32": 5, "bool": 8, "string": 9})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"scip.{name}")) for name in MESSAGES}
