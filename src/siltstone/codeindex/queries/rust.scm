; Rust. The meaning of each capture name: syntax_rows.py.
(mod_item body: (_)) @module
(struct_item) @class
(enum_item) @class
(union_item) @class
(trait_item) @interface
(type_item) @type_alias
(associated_type) @type_alias
(function_item) @function
(function_signature_item) @function
(macro_definition) @function
(impl_item) @members
(const_item) @variable
(static_item) @variable
(field_declaration) @field
(enum_variant) @field
(closure_expression) @block
(block) @block
(match_arm) @block

(parameter pattern: (_) @pattern)
(closure_parameters (_) @pattern)
(let_declaration pattern: (_) @pattern)
(let_condition pattern: (_) @pattern)
(for_expression pattern: (_) @pattern)
(match_arm pattern: (match_pattern (_) @pattern))
(type_parameter name: (type_identifier) @type_parameter)
(const_parameter name: (identifier) @type_parameter)

(use_declaration) @import
(mod_item !body) @import

(call_expression function: [(identifier) (scoped_identifier) (field_expression)] @call)
(call_expression function: (generic_function function: [(identifier) (scoped_identifier) (field_expression)] @call))
(macro_invocation macro: [(identifier) (scoped_identifier)] @call)
(impl_item trait: [(type_identifier) (scoped_type_identifier)] @implements)
(impl_item trait: (generic_type type: [(type_identifier) (scoped_type_identifier)] @implements))
(trait_item bounds: (trait_bounds [(type_identifier) (scoped_type_identifier)] @inherits))
(trait_item bounds: (trait_bounds (generic_type type: [(type_identifier) (scoped_type_identifier)] @inherits)))
(scoped_type_identifier) @type
(type_identifier) @type

(arguments [(identifier) (scoped_identifier)] @reference)
(let_declaration value: [(identifier) (scoped_identifier)] @reference)
(match_pattern (scoped_identifier) @reference)
(tuple_struct_pattern type: (scoped_identifier) @reference)
(field_initializer value: [(identifier) (scoped_identifier)] @reference)
(return_expression [(identifier) (scoped_identifier)] @reference)
(block (scoped_identifier) @reference)
(match_arm value: (scoped_identifier) @reference)
