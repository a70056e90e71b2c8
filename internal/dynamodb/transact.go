package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/dynamodb/attr"
	"github.com/newel-run/newel/internal/store"
)

const (
	maxTransact      = 100
	maxTransactBytes = 4 << 20
	// tokenLife is how long a ClientRequestToken makes a transaction idempotent.
	tokenLife = 10 * time.Minute
)

// reason is an element of CancellationReasons.
type reason struct {
	Code    string
	Message string    `json:",omitempty"`
	Item    *attr.Map `json:",omitempty"`
}

// cancelled is the answer to a transaction of which at least one reason is not None.
func cancelled(reasons []reason) error {
	codes := make([]string, len(reasons))
	for i := range reasons {
		if reasons[i].Code == "" {
			reasons[i].Code = "None"
		}
		codes[i] = reasons[i].Code
	}
	e := aws.Errorf("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.Fields = map[string]any{"CancellationReasons": reasons}
	return e
}

// reasonOf turns one action's error into its reason; ok is false for errors that end the request.
func reasonOf(err error) (r reason, ok bool) {
	var bad attr.Invalid
	var wire *aws.Error
	switch {
	case errors.As(err, &bad):
		return reason{Code: "ValidationError", Message: string(bad)}, true
	case errors.As(err, &wire) && wire.Code == "ConditionalCheckFailedException":
		r = reason{Code: "ConditionalCheckFailed", Message: wire.Message}
		r.Item, _ = wire.Fields["Item"].(*attr.Map)
		return r, true
	}
	return r, false
}

func constrainTransaction(c *constraints, n int, given bool) {
	c.required(given, "transactItems")
	if given {
		c.length(n, 1, maxTransact, fmt.Sprintf("'[%s]'", strings.Repeat("TransactItem, ", max(0, min(n, 2)-1))+strings.Repeat("TransactItem", min(n, 1))), "transactItems")
	}
}

type transactWriteItemsInput struct {
	TransactItems      []transactWrite
	ClientRequestToken *string
	returns

	intents []intent
	digest  [sha256.Size]byte
}

// transactWrite is one action: exactly one of its members is set.
type transactWrite struct {
	Put, Update, Delete, ConditionCheck *transactAction
}

type transactAction struct {
	TableName           *string
	Item                *attr.Item
	Key                 *attr.Item
	UpdateExpression    *string
	ConditionExpression *string
	placeholders
	ReturnValuesOnConditionCheckFailure *string
}

func (in *transactWriteItemsInput) check() error {
	var c constraints
	constrainTransaction(&c, len(in.TransactItems), in.TransactItems != nil)
	if in.ClientRequestToken != nil {
		c.length(len(*in.ClientRequestToken), 1, 36, "'"+*in.ClientRequestToken+"'", "clientRequestToken")
	}
	in.returns.constrain(&c)
	for i, w := range in.TransactItems {
		w.constrain(&c, fmt.Sprintf("transactItems.%d.member.", i+1))
	}
	if err := c.err(); err != nil {
		return err
	}
	total := 0
	for _, w := range in.TransactItems {
		n, err := w.intent()
		if err != nil {
			return err
		}
		total += n.size
		in.intents = append(in.intents, n)
	}
	if total > maxTransactBytes {
		return attr.Invalid("Transaction request size exceeded the maximum allowed size of 4 MB")
	}
	b, err := json.Marshal(in.TransactItems)
	in.digest = sha256.Sum256(b)
	return err
}

func (w *transactWrite) constrain(c *constraints, path string) {
	for _, m := range []struct {
		name   string
		action *transactAction
	}{{"conditionCheck", w.ConditionCheck}, {"put", w.Put}, {"delete", w.Delete}, {"update", w.Update}} {
		a, at := m.action, path+m.name
		if a == nil {
			continue
		}
		if m.name == "put" {
			c.required(a.Item != nil, at+".item")
		} else {
			c.required(a.Key != nil, at+".key")
		}
		if m.name == "update" {
			c.required(a.UpdateExpression != nil, at+".updateExpression")
		}
		if m.name == "conditionCheck" {
			c.required(a.ConditionExpression != nil, at+".conditionExpression")
		}
		if a.TableName == nil {
			c.required(false, at+".tableName")
		}
		c.enum(a.ReturnValuesOnConditionCheckFailure, at+".returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
	}
}

// action gives the one action that is set, and its kind.
func (w *transactWrite) action() (a *transactAction, n int) {
	for _, x := range []*transactAction{w.Put, w.Update, w.Delete, w.ConditionCheck} {
		if x != nil {
			a = x
			n++
		}
	}
	return a, n
}

func (w *transactWrite) intent() (in intent, err error) {
	a, n := w.action()
	if n != 1 {
		return in, attr.Invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	if in.table, err = checkTableName(a.TableName, "tableName"); err != nil {
		return in, err
	}
	expressions := []parameter{{"ConditionExpression", a.ConditionExpression != nil}}
	if w.Update != nil {
		expressions = []parameter{{"UpdateExpression", true}, expressions[0]}
	}
	params, err := a.params(expressions, nil)
	if err != nil {
		return in, err
	}
	switch {
	case w.Put != nil:
		err = in.setItem(a.Item)
	default:
		in.key, in.delete, err = a.Key.Map, w.Delete != nil, itemErr(a.Key)
	}
	if err != nil {
		return in, err
	}
	if w.Update != nil {
		if in.update, err = params.Update(*a.UpdateExpression); err != nil {
			return in, err
		}
	}
	if a.ConditionExpression != nil {
		if in.cond, err = params.Condition("ConditionExpression", *a.ConditionExpression); err != nil {
			return in, err
		}
	}
	in.showOld = is(a.ReturnValuesOnConditionCheckFailure, "ALL_OLD")
	return in, params.Unused()
}

func (t *txn) transactWriteItems(in *transactWriteItemsInput) (any, error) {
	if in.ClientRequestToken != nil {
		done, err := t.transacted(*in.ClientRequestToken, in.digest)
		if err != nil {
			return nil, err
		}
		if done {
			return t.repeated(in)
		}
	}
	targets, err := t.transactTargets(in.intents)
	if err != nil {
		return nil, err
	}
	outcomes, reasons, failed := make([]*outcome, len(targets)), make([]reason, len(targets)), false
	for i := range targets {
		if outcomes[i], err = t.decide(targets[i], &in.intents[i]); err == nil {
			continue
		}
		r, ok := reasonOf(err)
		if !ok {
			return nil, err
		}
		reasons[i], failed = r, true
	}
	if failed {
		return nil, cancelled(reasons)
	}
	for _, out := range outcomes {
		if err := t.commit(out); err != nil {
			return nil, err
		}
	}
	if in.ClientRequestToken != nil {
		t.keepToken(*in.ClientRequestToken, in.digest)
	}
	return t.transactAnswer(in, outcomes)
}

// transactTargets places the actions: a bad key cancels the transaction, two actions on one item are refused.
func (t *txn) transactTargets(intents []intent) ([]target, error) {
	targets, reasons, failed := make([]target, len(intents)), make([]reason, len(intents)), false
	seen := map[string]bool{}
	for i := range intents {
		at, err := t.locate(&intents[i])
		if err != nil {
			r, ok := reasonOf(err)
			if !ok {
				return nil, err
			}
			reasons[i], failed = r, true
			continue
		}
		place := fmt.Sprintf("%d/%s", at.tb.Number, at.key)
		if seen[place] {
			return nil, attr.Invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[place], targets[i] = true, at
	}
	if failed {
		return nil, cancelled(reasons)
	}
	return targets, nil
}

func (t *txn) transactAnswer(in *transactWriteItemsInput, outcomes []*outcome) (any, error) {
	answer := map[string]any{}
	var order []*capacity
	byTable := map[uint32]*capacity{}
	metrics := map[string][]*collectionSizes{}
	for _, out := range outcomes {
		c := byTable[out.tb.Number]
		if c == nil {
			if c = consumed(in.ReturnConsumedCapacity, out.tb); c != nil {
				byTable[out.tb.Number] = c
				order = append(order, c)
			}
		}
		if err := out.count(c, 2); err != nil {
			return nil, err
		}
		if is(in.ReturnItemCollectionMetrics, "SIZE") {
			m, err := t.collection(out)
			if err != nil {
				return nil, err
			}
			if m != nil {
				metrics[out.tb.Name] = append(metrics[out.tb.Name], m)
			}
		}
	}
	for _, c := range order {
		c.asWrites()
	}
	if order != nil {
		answer["ConsumedCapacity"] = order
	}
	if len(metrics) > 0 {
		answer["ItemCollectionMetrics"] = metrics
	}
	return answer, nil
}

func (t *txn) tokenKey(token string) store.Key {
	return row(rowToken).Str(t.Account).Str(t.Region).Str(token)
}

// transacted reports whether a token has been used for the same request within its life, and forgets old tokens.
func (t *txn) transacted(token string, digest [sha256.Size]byte) (bool, error) {
	now := t.Now.Unix()
	for at, key := range t.Scan(row(rowTokenAt), row(rowTokenAt).U64(uint64(now)), false) {
		t.tx.Delete(at)
		t.tx.Delete(key)
	}
	b, err := t.Get(t.tokenKey(token))
	if err != nil || len(b) < 8+sha256.Size || int64(binary.BigEndian.Uint64(b)) < now {
		return false, err
	}
	if string(b[8:]) != string(digest[:]) {
		return false, aws.Errorf("IdempotentParameterMismatchException",
			"Request conflicts with an earlier request that used the same client token and different parameters")
	}
	return true, nil
}

func (t *txn) keepToken(token string, digest [sha256.Size]byte) {
	until := uint64(t.Now.Add(tokenLife).Unix())
	key := t.tokenKey(token)
	t.tx.Set(key, append(binary.BigEndian.AppendUint64(nil, until), digest[:]...))
	t.tx.Set(append(row(rowTokenAt).U64(until), key...), key)
}

// repeated answers a transaction that was done before: nothing is written, and reading the items is what it costs.
func (t *txn) repeated(in *transactWriteItemsInput) (any, error) {
	answer := map[string]any{}
	var order []*capacity
	byTable := map[string]*capacity{}
	for i := range in.intents {
		at, err := t.locate(&in.intents[i])
		if err != nil {
			return nil, err
		}
		it, err := t.load(at.tb, at.key)
		if err != nil {
			return nil, err
		}
		c := byTable[at.tb.Name]
		if c == nil {
			if c = consumed(in.ReturnConsumedCapacity, at.tb); c == nil {
				continue
			}
			byTable[at.tb.Name] = c
			order = append(order, c)
		}
		c.add(2*readUnits(it.bytes(), true), nil)
	}
	for _, c := range order {
		c.asReads()
	}
	if order != nil {
		answer["ConsumedCapacity"] = order
	}
	return answer, nil
}
