package secretsmanager

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

var errToken = aws.Errorf("InvalidNextTokenException", "The NextToken value is invalid.")

// listInput selects secrets.
type listInput struct {
	IncludePlannedDeletion bool
	MaxResults             int
	NextToken              string
	SortOrder, SortBy      string
	Filters                []filter
}

// filter wants one of its values; a value after an exclamation mark excludes.
type filter struct {
	Key    string
	Values []string
}

// matches reports whether a secret has one of the filter's values: names by prefix with case, descriptions and tags by
// prefix.
func (f *filter) matches(s *secret) bool {
	wanted, any := false, false
	for _, v := range f.Values {
		if bad, excludes := strings.CutPrefix(v, "!"); excludes {
			if f.has(s, bad) {
				return false
			}
			continue
		}
		any = true
		wanted = wanted || f.has(s, v)
	}
	return wanted || !any
}

func (f *filter) has(s *secret, v string) bool {
	starts := func(text string) bool { return strings.HasPrefix(text, v) }
	fold := func(text string) bool { return strings.HasPrefix(strings.ToLower(text), strings.ToLower(v)) }
	inTags := func(keys, values bool) bool {
		for k, t := range s.Tags {
			if keys && starts(k) || values && starts(t) {
				return true
			}
		}
		return false
	}
	switch f.Key {
	case "name":
		return starts(s.Name)
	case "description":
		return fold(s.Description)
	case "tag-key":
		return inTags(true, false)
	case "tag-value":
		return inTags(false, true)
	case "owning-service":
		return starts(s.Owner)
	case "all":
		return fold(s.Name) || fold(s.Description) || inTags(true, true)
	}
	return false // primary-region: nothing is replicated
}

// position is where a secret stands in the order of creation.
func (s *secret) position() string { return fmt.Sprintf("%016x/%s", s.Created, s.Name) }

// page reads the next page of the secrets that are wanted, in the order of their creation.
func (in *listInput) page(c *service.Context, rd store.Reader, most int) (list []*secret, next string, err error) {
	if in.MaxResults > 0 {
		most = min(most, in.MaxResults)
	}
	after, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, "", errToken
	}
	table := rows(rowSecret, c.Account, c.Region)
	for _, b := range rd.Scan(table, table.End(), false) {
		s, err := decode(b)
		if err != nil {
			return nil, "", err
		}
		if !s.gone(c.Now) && (s.Deletion == 0 || in.IncludePlannedDeletion) &&
			!slices.ContainsFunc(in.Filters, func(f filter) bool { return !f.matches(s) }) {
			list = append(list, s)
		}
	}
	sign := 1
	if in.SortOrder == "desc" {
		sign = -1
	}
	slices.SortFunc(list, func(a, b *secret) int { return sign * strings.Compare(a.position(), b.position()) })
	if len(after) > 0 {
		list = slices.DeleteFunc(list, func(s *secret) bool { return sign*strings.Compare(s.position(), string(after)) <= 0 })
	}
	if len(list) > most {
		list = list[:most]
		next = base64.StdEncoding.EncodeToString([]byte(list[most-1].position()))
	}
	return list, next, nil
}

func (s *Service) listSecrets(c *service.Context, rd store.Reader) (any, error) {
	var in listInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if in.SortBy != "" && in.SortBy != "created-date" {
		return nil, invalidParameter("Newel lists secrets by created-date only.")
	}
	found, next, err := in.page(c, rd, 100)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, sec := range found {
		list = append(list, sec.view("SecretVersionsToStages"))
	}
	out := map[string]any{"SecretList": list}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

// asWire is an error that the client is to see; nil for the others.
func asWire(err error) *aws.Error {
	var e *aws.Error
	if errors.As(err, &e) && !e.Fault {
		return e
	}
	return nil
}
