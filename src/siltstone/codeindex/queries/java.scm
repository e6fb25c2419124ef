; Java. The meaning of each capture name: syntax_rows.py.
(package_declaration [(scoped_identifier) (identifier)] @package)
(class_declaration) @class
(enum_declaration) @class
(record_declaration) @class
(interface_declaration) @interface
(annotation_type_declaration) @interface
(method_declaration) @function
(constructor_declaration) @function
(field_declaration) @field
(constant_declaration) @field
(enum_constant) @field
(lambda_expression) @block
(static_initializer) @block
(object_creation_expression (class_body) @anonymous_class)

(formal_parameter name: (identifier) @local)
(spread_parameter (variable_declarator name: (identifier) @local))
(catch_formal_parameter name: (identifier) @local)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(enhanced_for_statement name: (identifier) @local)
(resource name: (identifier) @local)
(instanceof_expression name: (identifier) @local)
(lambda_expression parameters: (identifier) @local)
(inferred_parameters (identifier) @local)
(type_parameter (type_identifier) @type_parameter)

(import_declaration) @import

(method_invocation !object name: (identifier) @call)
(method_invocation object: (_)) @invocation
(object_creation_expression type: [(type_identifier) (scoped_type_identifier)] @call)
(object_creation_expression type: (generic_type [(type_identifier) (scoped_type_identifier)] @call))
(superclass [(type_identifier) (scoped_type_identifier)] @inherits)
(superclass (generic_type [(type_identifier) (scoped_type_identifier)] @inherits))
(extends_interfaces (type_list [(type_identifier) (scoped_type_identifier)] @inherits))
(extends_interfaces (type_list (generic_type [(type_identifier) (scoped_type_identifier)] @inherits)))
(super_interfaces (type_list [(type_identifier) (scoped_type_identifier)] @implements))
(super_interfaces (type_list (generic_type [(type_identifier) (scoped_type_identifier)] @implements)))
(scoped_type_identifier) @type
(type_identifier) @type
(annotation name: [(identifier) (scoped_identifier)] @reference)
(marker_annotation name: [(identifier) (scoped_identifier)] @reference)

(argument_list [(identifier) (field_access)] @reference)
(variable_declarator value: [(identifier) (field_access)] @reference)
(assignment_expression right: [(identifier) (field_access)] @reference)
(return_statement [(identifier) (field_access)] @reference)
