; Elements, for the grammars that have them.
(jsx_opening_element name: [(identifier) (member_expression)] @component)
(jsx_self_closing_element name: [(identifier) (member_expression)] @component)
(jsx_expression [(identifier) (member_expression)] @reference)
