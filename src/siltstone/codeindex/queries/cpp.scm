; C++, beyond c.scm.
(class_specifier name: (_) body: (_)) @class
(namespace_definition) @module
(alias_declaration) @type_alias
(field_declaration declarator: (function_declarator)) @function
(field_declaration declarator: (pointer_declarator declarator: (function_declarator))) @function
(field_declaration declarator: (reference_declarator (function_declarator))) @function
(declaration declarator: (reference_declarator (function_declarator))) @function
(template_declaration) @block
(lambda_expression) @block

(optional_parameter_declaration declarator: (_) @pattern)
(for_range_loop declarator: (_) @pattern)
(type_parameter_declaration (type_identifier) @type_parameter)
(optional_type_parameter_declaration name: (type_identifier) @type_parameter)

(call_expression function: (qualified_identifier) @call)
(call_expression function: (template_function name: (identifier) @call))
(new_expression type: [(type_identifier) (qualified_identifier)] @call)
(base_class_clause [(type_identifier) (qualified_identifier)] @inherits)
(base_class_clause (template_type name: (type_identifier) @inherits))
(argument_list (qualified_identifier) @reference)
(qualified_identifier name: (type_identifier)) @type
