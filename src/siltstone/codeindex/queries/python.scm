; Python. The meaning of each capture name: syntax.py.
(decorated_definition) @decorated
(class_definition) @class
(function_definition) @function
(type_alias_statement) @type_alias
(assignment) @variable
(lambda) @block
(list_comprehension) @block
(set_comprehension) @block
(dictionary_comprehension) @block
(generator_expression) @block

(parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(default_parameter name: (identifier) @local)
(typed_parameter (identifier) @local)
(typed_default_parameter name: (identifier) @local)
(list_splat_pattern (identifier) @local)
(dictionary_splat_pattern (identifier) @local)
(for_statement left: (_) @pattern)
(for_in_clause left: (_) @pattern)
(as_pattern_target) @pattern
(named_expression name: (identifier) @local)
(augmented_assignment left: (identifier) @local)
(function_definition type_parameters: (type_parameter (type (identifier) @type_parameter)))
(class_definition type_parameters: (type_parameter (type (identifier) @type_parameter)))

(import_statement) @import
(import_from_statement) @import

(call function: (identifier) @call)
(call function: (attribute) @call)
(decorator (identifier) @reference)
(decorator (attribute) @reference)
(class_definition superclasses: (argument_list [(identifier) (attribute)] @inherits))
(class_definition superclasses: (argument_list (subscript value: [(identifier) (attribute)] @inherits)))
(type [(identifier) (attribute)] @type)
(type (generic_type (identifier) @type))
(type (subscript value: [(identifier) (attribute)] @type))
(type (binary_operator [(identifier) (attribute)] @type))
(type (string (string_content) @type))

(call arguments: (argument_list [(identifier) (attribute)] @reference))
(keyword_argument value: [(identifier) (attribute)] @reference)
(assignment right: [(identifier) (attribute)] @reference)
(return_statement [(identifier) (attribute)] @reference)
(list [(identifier) (attribute)] @reference)
(tuple [(identifier) (attribute)] @reference)
(set [(identifier) (attribute)] @reference)
(pair value: [(identifier) (attribute)] @reference)
(raise_statement [(identifier) (attribute)] @reference)
(except_clause [(identifier) (attribute)] @reference)
(as_pattern [(identifier) (attribute)] @reference)
