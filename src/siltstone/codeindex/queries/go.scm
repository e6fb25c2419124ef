; Go. The meaning of each capture name: syntax_rows.py.
(package_clause (package_identifier) @package)
(function_declaration) @function
(method_declaration) @function
(type_spec type: (struct_type)) @class
(type_spec type: (interface_type)) @interface
(type_spec) @type_alias
(type_alias) @type_alias
(method_elem) @function
(field_declaration) @field
(var_spec) @variable
(const_spec) @variable
(func_literal) @block
(block) @block

(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(short_var_declaration left: (_) @pattern)
(range_clause left: (_) @pattern)
(receive_statement left: (_) @pattern)
(type_switch_statement alias: (_) @pattern)
(type_parameter_declaration name: (identifier) @type_parameter)

(import_spec) @import

(call_expression function: [(identifier) (selector_expression)] @call)
(field_declaration !name type: [(type_identifier) (qualified_type)] @inherits)
(field_declaration !name type: (generic_type type: [(type_identifier) (qualified_type)] @inherits))
(interface_type (type_elem . [(type_identifier) (qualified_type)] @inherits .))
(qualified_type) @type
(type_identifier) @type

(argument_list [(identifier) (selector_expression)] @reference)
(literal_value (literal_element [(identifier) (selector_expression)] @reference))
(keyed_element value: (literal_element [(identifier) (selector_expression)] @reference))
(expression_list [(identifier) (selector_expression)] @reference)
