// Package attr holds DynamoDB's attribute values: their JSON form, the rules that AWS puts on them (38 exact digits,
// sets without duplicates, 32 levels of nesting), their sizes as AWS counts them, their order, and the encoding of key
// values into bytes that sort as DynamoDB sorts them.
//
// A Value is immutable once it has been parsed or built; an update makes new values and shares what it did not touch.
// Numbers are kept as their normal text (Number), so equal numbers have equal text.
package attr

// Kind is one of DynamoDB's ten types; the text of a kind is the member name in the JSON form.
type Kind uint8

// The kinds.
const (
	None Kind = iota
	S
	N
	B
	SS
	NS
	BS
	M
	L
	Null
	Bool
)

var kindNames = [...]string{"", "S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"}

func (k Kind) String() string { return kindNames[k] }

// KindOf is the kind that a member name stands for, None if there is none.
func KindOf(name string) Kind {
	for k := S; k <= Bool; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return None
}

// IsSet reports whether the kind is one of the three sets.
func (k Kind) IsSet() bool { return k >= SS && k <= BS }

// Value is one attribute value. Str holds the text of S, the normal text of N and the raw bytes of B; Set holds the same
// for the elements of a set, in the order in which they were given.
type Value struct {
	Kind Kind
	Bool bool
	Str  string
	Set  []string
	List []*Value
	Map  *Map
}

// Member is a named value of a Map.
type Member struct {
	Name  string
	Value *Value
}

// Map is a map value or a whole item; members keep the order in which they were given, names are unique.
type Map struct {
	members []Member
	index   map[string]int // kept once there are more than a few members
}

const indexFrom = 12

// NumberText makes an N value of normal number text, as Number.String gives.
func NumberText(s string) *Value { return &Value{Kind: N, Str: s} }

// Len is the number of members; a nil Map has none.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.members)
}

// At is the i-th member.
func (m *Map) At(i int) Member { return m.members[i] }

// Get is a member's value, nil if there is none.
func (m *Map) Get(name string) *Value {
	if i := m.find(name); i >= 0 {
		return m.members[i].Value
	}
	return nil
}

func (m *Map) find(name string) int {
	if m == nil {
		return -1
	}
	if m.index != nil {
		if i, ok := m.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range m.members {
		if m.members[i].Name == name {
			return i
		}
	}
	return -1
}

// Set adds a member or replaces its value in place. Only for a Map that is being built.
func (m *Map) Set(name string, v *Value) {
	if i := m.find(name); i >= 0 {
		m.members[i].Value = v
		return
	}
	m.members = append(m.members, Member{name, v})
	if m.index != nil {
		m.index[name] = len(m.members) - 1
	} else if len(m.members) >= indexFrom {
		m.reindex()
	}
}

// Delete removes a member. Only for a Map that is being built.
func (m *Map) Delete(name string) {
	i := m.find(name)
	if i < 0 {
		return
	}
	m.members = append(m.members[:i], m.members[i+1:]...)
	if m.index != nil {
		m.reindex()
	}
}

func (m *Map) reindex() {
	m.index = make(map[string]int, 2*len(m.members))
	for i := range m.members {
		m.index[m.members[i].Name] = i
	}
}

// Clone copies the map so that its members can be set; the values are shared.
func (m *Map) Clone() *Map {
	c := &Map{}
	if m == nil {
		return c
	}
	c.members = append(make([]Member, 0, len(m.members)+4), m.members...)
	if m.index != nil {
		c.reindex()
	}
	return c
}

// Equal reports whether two values are the same: sets and maps without regard to order, numbers by value.
func Equal(a, b *Value) bool {
	if a == nil || b == nil || a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case S, N, B:
		return a.Str == b.Str
	case Bool:
		return a.Bool == b.Bool
	case Null:
		return true
	case SS, NS, BS:
		return len(a.Set) == len(b.Set) && a.containsAll(b.Set)
	case L:
		if len(a.List) != len(b.List) {
			return false
		}
		for i := range a.List {
			if !Equal(a.List[i], b.List[i]) {
				return false
			}
		}
		return true
	case M:
		return EqualMaps(a.Map, b.Map)
	}
	panic("attr: value without a kind")
}

// EqualMaps reports whether two maps have equal members.
func EqualMaps(a, b *Map) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !Equal(a.members[i].Value, b.Get(a.members[i].Name)) {
			return false
		}
	}
	return true
}

func (v *Value) containsAll(elems []string) bool {
	if len(v.Set) <= 8 {
		for _, e := range elems {
			if !v.HasElement(e) {
				return false
			}
		}
		return true
	}
	have := make(map[string]bool, len(v.Set))
	for _, e := range v.Set {
		have[e] = true
	}
	for _, e := range elems {
		if !have[e] {
			return false
		}
	}
	return true
}

// HasElement reports whether a set holds an element.
func (v *Value) HasElement(e string) bool {
	for _, x := range v.Set {
		if x == e {
			return true
		}
	}
	return false
}

// Compare orders two values of one kind S, N or B; ok is false for other kinds and for different kinds.
func Compare(a, b *Value) (order int, ok bool) {
	if a == nil || b == nil || a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case S, B:
		switch {
		case a.Str < b.Str:
			return -1, true
		case a.Str > b.Str:
			return 1, true
		}
		return 0, true
	case N:
		return CompareNumbers(a.Str, b.Str), true
	}
	return 0, false
}
