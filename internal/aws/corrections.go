package aws

// corrections are bounds that AWS holds its callers to where the published model names another one, by service and by the
// operation whose input or output has the member.
var corrections = map[string][]struct {
	operation, member string
	max               float64
}{
	// The model's 32,768 MB are those of managed instances; functions are held to 10,240 (recorded in November 2025).
	"lambda": {{"CreateFunction", "MemorySize", 10240}, {"UpdateFunctionConfiguration", "MemorySize", 10240}, {"GetFunctionConfiguration", "MemorySize", 10240}},
}

// correct applies the corrections to a model that has just been decoded.
func (s *Service) correct() *Service {
	for _, c := range corrections[s.Key] {
		op := s.Operations[c.operation]
		for _, shape := range []*Shape{op.Input, op.Output} {
			if shape == nil {
				continue
			}
			if m := shape.Member(c.member); m != nil {
				m.Shape.Max = &c.max
			}
		}
	}
	return s
}
