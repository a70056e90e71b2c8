package asl

// parseYAML makes nodes of a YAML text.
func parseYAML(text []byte) (*node, *Diagnostic) {
	return parse(text, Options{})
}
