package dynamodb

import (
	"fmt"

	"github.com/newel-run/newel/internal/dynamodb/attr"
)

type scanInput struct {
	selection
	ScanFilter    map[string]legacyCondition
	Segment       *int64
	TotalSegments *int64
}

func (in *scanInput) check() (err error) {
	if in.name, err = checkTableName(in.TableName, "tableName"); err != nil {
		return err
	}
	var c constraints
	in.constrain(&c)
	c.atLeast(in.Limit, 1, "limit")
	constrainLegacy(&c, in.ScanFilter, "scanFilter")
	c.atLeast(in.Segment, 0, "segment")
	c.atMost(in.Segment, 999999, "segment")
	c.atLeast(in.TotalSegments, 1, "totalSegments")
	c.atMost(in.TotalSegments, 1000000, "totalSegments")
	if err := c.err(); err != nil {
		return err
	}
	params, err := in.params([]parameter{{"ProjectionExpression", in.ProjectionExpression != nil}, {"FilterExpression", in.FilterExpression != nil}},
		[]parameter{{"AttributesToGet", in.AttributesToGet != nil}, {"ScanFilter", in.ScanFilter != nil}, {"ConditionalOperator", in.ConditionalOperator != nil}})
	if err != nil {
		return err
	}
	if err := in.checkStart(); err != nil {
		return err
	}
	if err := in.checkSegments(); err != nil {
		return err
	}
	if err := in.checkSelect(); err != nil {
		return err
	}
	if in.FilterExpression != nil {
		in.filter, err = params.Condition("FilterExpression", *in.FilterExpression)
	} else {
		in.filter, err = filterCondition(in.ScanFilter, in.ConditionalOperator)
	}
	if err != nil {
		return err
	}
	if err := in.project(params); err != nil {
		return err
	}
	return params.Unused()
}

func (in *scanInput) checkSegments() error {
	switch {
	case in.Segment != nil && in.TotalSegments == nil:
		return attr.Invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment == nil && in.TotalSegments != nil:
		return attr.Invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.Segment != nil && *in.Segment >= *in.TotalSegments:
		return attr.Invalid(fmt.Sprintf("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d",
			*in.Segment, *in.TotalSegments))
	}
	return nil
}

func (t *txn) scan(in *scanInput) (any, error) {
	r, err := in.start(t)
	if err != nil {
		return nil, err
	}
	r.lo, r.hi = r.base(), r.base().End()
	if in.Segment != nil {
		from, to := segmentOf(*in.Segment, *in.TotalSegments)
		r.lo = hashBound(r, from)
		r.hi = hashBound(r, to)
	}
	if in.ExclusiveStartKey == nil {
		return in.answer(t, r)
	}
	start := in.ExclusiveStartKey.Map
	if err := r.checkStartKey(start); err != nil {
		return nil, err
	}
	if in.Segment != nil {
		h := uint32(hash16(attr.AppendKey(nil, start.Get(r.keys().Hash))))
		if from, to := segmentOf(*in.Segment, *in.TotalSegments); h < from || h >= to {
			return nil, attr.Invalid(fmt.Sprintf("The provided starting key is invalid: Invalid ExclusiveStartKey. "+
				"Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", *in.TotalSegments, *in.Segment))
		}
	}
	r.after(start)
	return in.answer(t, r)
}

// hashBound is the first key whose hash is h or more.
func hashBound(r *reading, h uint32) []byte {
	if h >= 1<<16 {
		return r.base().End()
	}
	return append(r.base(), byte(h>>8), byte(h))
}
