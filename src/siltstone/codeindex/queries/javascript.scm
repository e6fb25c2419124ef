; JavaScript, beyond ecmascript.scm and jsx.scm.
(class_body (field_definition) @field)
(field_definition value: [(identifier) (member_expression)] @reference)
(class_heritage [(identifier) (member_expression)] @inherits)
(formal_parameters [(identifier) (object_pattern) (array_pattern) (rest_pattern) (assignment_pattern)] @pattern)
