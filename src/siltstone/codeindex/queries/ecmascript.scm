; What JavaScript, TypeScript and TSX have in common. The meaning of each capture name: syntax_rows.py.
(class_declaration) @class
(class) @class
(function_declaration) @function
(generator_function_declaration) @function
(class_body (method_definition) @function)
(object (method_definition) @function_block)
(variable_declarator) @variable
(arrow_function) @block
(function_expression) @function_block
(generator_function) @function_block
(statement_block) @block
(for_statement) @block
(for_in_statement) @block
(catch_clause) @block

(for_in_statement left: (_) @pattern)
(catch_clause parameter: (_) @pattern)
(arrow_function parameter: (identifier) @local)

(import_statement) @import
(export_statement) @import
(variable_declarator value: (call_expression function: (identifier) arguments: (arguments . (string) .))) @import
(call_expression function: (import) arguments: (arguments . (string) .)) @import

(call_expression function: [(identifier) (member_expression) (super)] @call)
(new_expression constructor: [(identifier) (member_expression)] @call)
(decorator [(identifier) (member_expression)] @reference)

(arguments [(identifier) (member_expression)] @reference)
(variable_declarator value: [(identifier) (member_expression)] @reference)
(assignment_expression right: [(identifier) (member_expression)] @reference)
(return_statement [(identifier) (member_expression)] @reference)
(arrow_function body: [(identifier) (member_expression)] @reference)
(pair value: [(identifier) (member_expression)] @reference)
(array [(identifier) (member_expression)] @reference)
(spread_element [(identifier) (member_expression)] @reference)
(shorthand_property_identifier) @reference
(ternary_expression consequence: [(identifier) (member_expression)] @reference)
(ternary_expression alternative: [(identifier) (member_expression)] @reference)
