; TypeScript, beyond ecmascript.scm; TSX adds jsx.scm.
(abstract_class_declaration) @class
(interface_declaration) @interface
(enum_declaration) @class
(type_alias_declaration) @type_alias
(internal_module) @module
(module) @module
(function_signature) @function
(abstract_method_signature) @function
(class_body (method_signature) @function)
(interface_body (method_signature) @function)
(interface_body (property_signature) @field)
(class_body (public_field_definition) @field)
(enum_body (property_identifier) @field)
(enum_body (enum_assignment) @field)

(required_parameter pattern: (_) @pattern)
(optional_parameter pattern: (_) @pattern)
(type_parameter name: (type_identifier) @type_parameter)

(public_field_definition value: [(identifier) (member_expression)] @reference)
(extends_clause value: [(identifier) (member_expression)] @inherits)
(extends_type_clause type: [(type_identifier) (nested_type_identifier)] @inherits)
(extends_type_clause type: (generic_type name: [(type_identifier) (nested_type_identifier)] @inherits))
(implements_clause [(type_identifier) (nested_type_identifier)] @implements)
(implements_clause (generic_type name: [(type_identifier) (nested_type_identifier)] @implements))
(nested_type_identifier) @type
(type_identifier) @type
