package states

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// named is a record that lists show by its ARN.
type named interface{ arn() string }

func (h *head) arn() string     { return h.ARN }
func (a *activity) arn() string { return a.ARN }

// listRecords merges the records of a table over all partitions, by ARN, and gives one page of those whose ARN starts with a
// prefix. make makes an empty record.
func (s *Service) listRecords(ctx context.Context, c *service.Context, table store.Key, prefix string, make func() named) (page []named, next string, err error) {
	var in struct {
		MaxResults int
		NextToken  *string
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, "", err
	}
	after, err := decodePage(in.NextToken)
	if err != nil {
		return nil, "", err
	}
	for p := range s.env.Store.Partitions() {
		n := len(page)
		err := s.env.Store.View(ctx, store.Partition(p), func(rd store.Reader) error {
			page = page[:n]
			for _, v := range rd.Scan(table, table.End(), false) {
				r := make()
				if err := json.Unmarshal(v, r); err != nil {
					return err
				}
				if strings.HasPrefix(r.arn(), prefix) && r.arn() > after {
					page = append(page, r)
				}
			}
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	slices.SortFunc(page, func(a, b named) int { return strings.Compare(a.arn(), b.arn()) })
	if limit := pageSize(in.MaxResults); len(page) > limit {
		page = page[:limit]
		next = encodePage(page[limit-1].arn())
	}
	return page, next, nil
}

// answerList makes a list answer: the page under its member, and the token of the next page if there is one.
func answerList(member, next string, list []map[string]any) map[string]any {
	out := map[string]any{member: list}
	if next != "" {
		out["nextToken"] = next
	}
	return out
}

func (s *Service) listStateMachines(ctx context.Context, c *service.Context) (any, error) {
	page, next, err := s.listRecords(ctx, c, store.K(store.TableMachine, "head"), newARN(c.Request, "stateMachine:"), func() named { return &head{} })
	list := make([]map[string]any, len(page))
	for i, r := range page {
		h := r.(*head)
		list[i] = map[string]any{"stateMachineArn": h.ARN, "name": h.Name, "type": h.Type, "creationDate": epoch(h.Created)}
	}
	return answerList("stateMachines", next, list), err
}

func (s *Service) listActivities(ctx context.Context, c *service.Context) (any, error) {
	page, next, err := s.listRecords(ctx, c, store.K(store.TableActivity, "activity"), newARN(c.Request, "activity:"), func() named { return &activity{} })
	list := make([]map[string]any, len(page))
	for i, r := range page {
		a := r.(*activity)
		list[i] = map[string]any{"activityArn": a.ARN, "name": a.Name, "creationDate": epoch(a.Created)}
	}
	return answerList("activities", next, list), err
}
