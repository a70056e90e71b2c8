package lambda

import (
	"context"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"

	"github.com/newel-run/newel/internal/store"
)

// A qualifier names $LATEST ("" or "$LATEST"), a version by its number, or an alias. Versions and aliases are rows beside
// the function's, in its partition:
//
//	version ACCOUNT REGION NAME number -> record, never changed
//	alias   ACCOUNT REGION NAME alias  -> alias

var numberRE = regexp.MustCompile(`^[0-9]+$`)

func (id identity) versionsKey() store.Key {
	return store.K(store.TableFunction, "version", id.Account, id.Region, id.Name)
}

func (id identity) versionKey(number string) store.Key {
	n, _ := strconv.ParseUint(number, 10, 63) // a number too long is no version's
	return id.versionsKey().U64(n)
}

func (id identity) aliasesKey() store.Key {
	return store.K(store.TableFunction, "alias", id.Account, id.Region, id.Name)
}

// rowKey is where a record is stored.
func (f *record) rowKey() store.Key {
	if f.Version != "" {
		return f.versionKey(f.Version)
	}
	return f.key()
}

func (f *record) version() string {
	if f.Version != "" {
		return f.Version
	}
	return latest
}

func qualify(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}

// qualifiedConfiguration is the configuration under the ARN with a qualifier ("" for none).
func (f *record) qualifiedConfiguration(q string) *configuration {
	c := f.configuration()
	c.FunctionArn = qualify(c.FunctionArn, q)
	return c
}

// unqualified fails for every qualifier but $LATEST.
func unqualified(id identity, q string) error {
	if q == "" || q == latest {
		return nil
	}
	return invalid("This operation does not support qualified functions: %s", qualify(id.arn(), q))
}

// at is what is attached to a qualifier, to be read only; "" is the function itself.
func (f *record) at(q string) *attachment {
	if q == "" || q == latest {
		return &f.attachment
	}
	if a := f.Qualified[q]; a != nil {
		return a
	}
	return &attachment{}
}

// attach is what is attached to a qualifier, to be changed.
func (f *record) attach(q string) *attachment {
	if q == "" || q == latest {
		return &f.attachment
	}
	if f.Qualified == nil {
		f.Qualified = map[string]*attachment{}
	}
	if f.Qualified[q] == nil {
		f.Qualified[q] = &attachment{}
	}
	return f.Qualified[q]
}

// mainVersion picks an alias's FunctionVersion, whatever its weights.
const mainVersion = 1

// resolve finds the record that a qualifier of a function designates. pick, in [0, 1), chooses among the versions of an
// alias by their weights.
func resolve(rd store.Reader, f *record, q string, pick float64) (*record, error) {
	if q == "" || q == latest {
		return f, nil
	}
	number := q
	if !numberRE.MatchString(q) {
		a, err := getAliasRow(rd, f.identity, q)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return nil, notFound(qualify(f.arn(), q))
		}
		if number = a.choose(pick); number == latest {
			return f, nil
		}
	}
	b, err := rd.Get(f.versionKey(number))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, notFound(qualify(f.arn(), q))
	}
	return decode(b)
}

// choose is the version that an invocation of an alias runs.
func (a *alias) choose(pick float64) string {
	for _, version := range slices.Sorted(maps.Keys(a.Weights)) {
		if pick -= a.Weights[version]; pick < 0 {
			return version
		}
	}
	return a.FunctionVersion
}

// loadQualified reads what an invocation of a qualifier runs, with the concurrency that is reserved for the function and
// what is attached to the qualifier.
func (s *Service) loadQualified(ctx context.Context, id identity, q string) (*record, error) {
	f, err := s.load(ctx, id)
	if err != nil || q == "" || q == latest {
		return f, err
	}
	var v *record
	err = s.Env.Store.View(ctx, s.PartitionOf(id.Account, id.Region, ""), func(rd store.Reader) (err error) {
		v, err = resolve(rd, f, q, rand.Float64())
		return err
	})
	if err != nil {
		return nil, err
	}
	run := *v
	run.Reserved, run.attachment = f.Reserved, *f.at(q)
	return &run, nil
}
