; C, and what C++ shares with it. The meaning of each capture name: syntax_rows.py.
(preproc_include) @import
(preproc_def) @variable
(preproc_function_def) @function
(function_definition) @function
(declaration declarator: (function_declarator)) @function
(declaration declarator: (pointer_declarator declarator: (function_declarator))) @function
(struct_specifier name: (_) body: (_)) @class
(union_specifier name: (_) body: (_)) @class
(enum_specifier name: (_) body: (_)) @class
(type_definition) @type_alias
(field_declaration) @field
(enumerator) @enumerator
(declaration) @variable

(parameter_declaration declarator: (_) @pattern)

(call_expression function: [(identifier) (field_expression)] @call)
(type_identifier) @type
(argument_list (identifier) @reference)
(init_declarator value: (identifier) @reference)
(return_statement (identifier) @reference)
(initializer_list (identifier) @reference)
(initializer_pair value: (identifier) @reference)
(assignment_expression right: (identifier) @reference)
(pointer_expression argument: (identifier) @reference)
