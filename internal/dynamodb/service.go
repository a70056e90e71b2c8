package dynamodb

import (
	"context"
	"encoding/json"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// New makes the service.
func New(env *service.Env) *service.Service {
	d := &db{records: map[string]*table{}}
	d.Service = service.New("dynamodb", env, d.operations())
	d.KeyFault = keyFault
	return d.Service
}

// operations is the table of operations. Every row works on the account's and region's own partition.
func (d *db) operations() []service.Operation {
	return []service.Operation{
		write(d, "CreateTable", (*txn).createTable),
		read(d, "DescribeTable", (*txn).describeTable),
		write(d, "DeleteTable", (*txn).deleteTable),
		write(d, "UpdateTable", (*txn).updateTable),
		read(d, "ListTables", (*txn).listTables),
		read(d, "DescribeTimeToLive", (*txn).describeTimeToLive),
		write(d, "UpdateTimeToLive", (*txn).updateTimeToLive),
		write(d, "TagResource", (*txn).tagResource),
		write(d, "UntagResource", (*txn).untagResource),
		read(d, "ListTagsOfResource", (*txn).listTagsOfResource),
		read(d, "DescribeContinuousBackups", (*txn).describeContinuousBackups),
		read(d, "DescribeLimits", (*txn).describeLimits),
		read(d, "DescribeEndpoints", (*txn).describeEndpoints),
		write(d, "PutItem", (*txn).putItem),
		read(d, "GetItem", (*txn).getItem),
		write(d, "UpdateItem", (*txn).updateItem),
		write(d, "DeleteItem", (*txn).deleteItem),
		read(d, "Query", (*txn).query),
		read(d, "Scan", (*txn).scan),
		read(d, "BatchGetItem", (*txn).batchGetItem),
		write(d, "BatchWriteItem", (*txn).batchWriteItem),
		read(d, "TransactGetItems", (*txn).transactGetItems),
		write(d, "TransactWriteItems", (*txn).transactWriteItems),
	}
}

// request is an operation's input. check finds what is wrong without looking at any table, and compiles expressions; the
// input does not change after it.
type request[T any] interface {
	*T
	check() error
}

func write[T any, R request[T]](d *db, name string, run func(*txn, R) (any, error)) service.Operation {
	return service.Operation{Name: name, Do: func(ctx context.Context, c *service.Context) (*aws.Output, error) {
		in, err := decode[T, R](c)
		if err != nil {
			return nil, err
		}
		out, err := d.Update(ctx, c, d.PartitionOf(c.Account, c.Region, ""), func(c *service.Context, tx store.Tx) (any, error) {
			return run(&txn{c, tx, tx, d}, in)
		})
		if err != nil {
			return nil, wire(err)
		}
		return service.Answer(out), nil
	}}
}

func read[T any, R request[T]](d *db, name string, run func(*txn, R) (any, error)) service.Operation {
	return service.Operation{Name: name, Do: func(ctx context.Context, c *service.Context) (*aws.Output, error) {
		in, err := decode[T, R](c)
		if err != nil {
			return nil, err
		}
		var out any
		err = d.View(ctx, d.PartitionOf(c.Account, c.Region, ""), func(rd store.Reader) (err error) {
			out, err = run(&txn{c, rd, nil, d}, in)
			return err
		})
		if err != nil {
			return nil, wire(err)
		}
		return service.Answer(out), nil
	}}
}

func decode[T any, R request[T]](c *service.Context) (R, error) {
	in := R(new(T))
	if len(c.Input) > 0 {
		if err := json.Unmarshal(c.Input, in); err != nil {
			return nil, wire(err)
		}
	}
	if err := in.check(); err != nil {
		return nil, wire(err)
	}
	return in, nil
}
