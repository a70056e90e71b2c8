package apigateway

import (
	"maps"
	"net/url"
	"strings"

	"github.com/newel-run/newel/internal/service"
	"github.com/newel-run/newel/internal/store"
)

// keyInput has the members of the operations on API keys and usage plans.
type keyInput struct {
	APIKey, Name, Description, Value, CustomerID string
	Enabled, IncludeValue, IncludeValues         bool
	NameQuery, Position                          string
	Limit                                        int
	Tags                                         map[string]string
	UsagePlanID, KeyID, KeyType                  string
	APIStages                                    []planStage
	Throttle, Quota                              map[string]any
	PatchOperations                              []operation
}

func createKey(c *service.Context, tx store.Tx) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	k := &apiKey{ID: newID(10), Value: in.Value, Name: in.Name, CustomerID: in.CustomerID, Description: in.Description, Enabled: in.Enabled,
		CreatedDate: seconds(c), LastUpdatedDate: seconds(c), StageKeys: []string{}, Tags: in.Tags}
	if k.Value == "" {
		k.Value = newID(40)
	}
	if len(k.Value) < 20 || len(k.Value) > 128 {
		return nil, badRequest("API Key value should be at least 20 characters")
	}
	others, err := all[apiKey](tx, key(c, "key"))
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		if o.Value == k.Value {
			return nil, conflict("API Key already exists")
		}
	}
	return k, save(tx, key(c, "key", k.ID), k)
}

func needKey(c *service.Context, rd store.Reader) (*keyInput, *apiKey, error) {
	in := new(keyInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, err
	}
	k, err := load[apiKey](rd, key(c, "key", in.APIKey))
	if err == nil && k == nil {
		err = notFound("Invalid API Key identifier specified")
	}
	return in, k, err
}

func getKey(c *service.Context, rd store.Reader) (any, error) {
	in, k, err := needKey(c, rd)
	if err != nil {
		return nil, err
	}
	if !in.IncludeValue {
		k.Value = ""
	}
	return k, nil
}

func getKeys(c *service.Context, rd store.Reader) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list, err := all[apiKey](rd, key(c, "key"))
	if err != nil {
		return nil, err
	}
	var found []*apiKey
	for _, k := range list {
		if !in.IncludeValues {
			k.Value = ""
		}
		if strings.HasPrefix(k.Name, in.NameQuery) && (in.CustomerID == "" || in.CustomerID == k.CustomerID) {
			found = append(found, k)
		}
	}
	return page(found, func(k *apiKey) string { return k.ID }, in.Position, in.Limit), nil
}

func updateKey(c *service.Context, tx store.Tx) (any, error) {
	in, k, err := needKey(c, tx)
	if err != nil {
		return nil, err
	}
	if err = patch("GetApiKey", k, in.PatchOperations); err != nil {
		return nil, err
	}
	k.LastUpdatedDate = seconds(c)
	return k, save(tx, key(c, "key", k.ID), k)
}

func deleteKey(c *service.Context, tx store.Tx) (any, error) {
	_, k, err := needKey(c, tx)
	if err != nil {
		return nil, err
	}
	tx.Delete(key(c, "key", k.ID))
	return nil, nil
}

func createPlan(c *service.Context, tx store.Tx) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	p := &usagePlan{ID: newID(6), Name: in.Name, Description: in.Description, APIStages: in.APIStages, Throttle: in.Throttle, Quota: in.Quota, Tags: in.Tags}
	for _, st := range p.APIStages {
		row, err := load[stage](tx, key(c, "stage", st.APIID, st.Stage))
		if err != nil {
			return nil, err
		}
		if row == nil {
			return nil, notFound("API Stage not found: %s:%s", st.APIID, st.Stage)
		}
	}
	return p, save(tx, key(c, "plan", p.ID), p)
}

func needPlan(c *service.Context, rd store.Reader) (*keyInput, *usagePlan, error) {
	in := new(keyInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, err
	}
	p, err := load[usagePlan](rd, key(c, "plan", in.UsagePlanID))
	if err == nil && p == nil {
		err = notFound("Invalid Usage Plan ID specified")
	}
	return in, p, err
}

func getPlan(c *service.Context, rd store.Reader) (any, error) {
	_, p, err := needPlan(c, rd)
	return p, err
}

func getPlans(c *service.Context, rd store.Reader) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	list, err := all[usagePlan](rd, key(c, "plan"))
	if err != nil {
		return nil, err
	}
	if in.KeyID != "" {
		var of []*usagePlan
		for _, p := range list {
			k, err := load[planKey](rd, key(c, "plankey", p.ID, in.KeyID))
			if err != nil {
				return nil, err
			}
			if k != nil {
				of = append(of, p)
			}
		}
		list = of
	}
	return page(list, func(p *usagePlan) string { return p.ID }, in.Position, in.Limit), nil
}

func updatePlan(c *service.Context, tx store.Tx) (any, error) {
	in, p, err := needPlan(c, tx)
	if err != nil {
		return nil, err
	}
	if err = patch("GetUsagePlan", p, in.PatchOperations); err != nil {
		return nil, err
	}
	return p, save(tx, key(c, "plan", p.ID), p)
}

func deletePlan(c *service.Context, tx store.Tx) (any, error) {
	_, p, err := needPlan(c, tx)
	if err != nil {
		return nil, err
	}
	if len(p.APIStages) > 0 {
		return nil, badRequest("Cannot delete Usage Plan '%s' because API Stages are associated with it. Please remove all API Stages from the Usage Plan before deleting.", p.ID)
	}
	tx.Delete(key(c, "plan", p.ID))
	k := key(c, "plankey", p.ID)
	tx.DeleteRange(k, k.End())
	return nil, nil
}

func createPlanKey(c *service.Context, tx store.Tx) (any, error) {
	in, p, err := needPlan(c, tx)
	if err != nil {
		return nil, err
	}
	k, err := load[apiKey](tx, key(c, "key", in.KeyID))
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, notFound("Invalid API Key identifier specified")
	}
	row := key(c, "plankey", p.ID, k.ID)
	if old, err := load[planKey](tx, row); err != nil || old != nil {
		if err == nil {
			err = conflict("Usage Plan %s and key %s are already associated", p.ID, k.ID)
		}
		return nil, err
	}
	pk := &planKey{ID: k.ID, Type: "API_KEY", Value: k.Value, Name: k.Name}
	return pk, save(tx, row, pk)
}

func needPlanKey(c *service.Context, rd store.Reader) (*usagePlan, *planKey, error) {
	in, p, err := needPlan(c, rd)
	if err != nil {
		return nil, nil, err
	}
	k, err := load[planKey](rd, key(c, "plankey", p.ID, in.KeyID))
	if err == nil && k == nil {
		err = notFound("Invalid API Key identifier specified")
	}
	return p, k, err
}

func getPlanKey(c *service.Context, rd store.Reader) (any, error) {
	_, k, err := needPlanKey(c, rd)
	return k, err
}

func getPlanKeys(c *service.Context, rd store.Reader) (any, error) {
	in, p, err := needPlan(c, rd)
	if err != nil {
		return nil, err
	}
	list, err := all[planKey](rd, key(c, "plankey", p.ID))
	if err != nil {
		return nil, err
	}
	return page(list, func(k *planKey) string { return k.ID }, in.Position, in.Limit), nil
}

func deletePlanKey(c *service.Context, tx store.Tx) (any, error) {
	p, k, err := needPlanKey(c, tx)
	if err != nil {
		return nil, err
	}
	tx.Delete(key(c, "plankey", p.ID, k.ID))
	return nil, nil
}

// admits reports whether a key's value may use a stage.
func admits(c *service.Context, rd store.Reader, apiID, stageName, value string) (bool, error) {
	plans, err := all[usagePlan](rd, key(c, "plan"))
	if err != nil || value == "" {
		return false, err
	}
	for _, p := range plans {
		here := false
		for _, st := range p.APIStages {
			here = here || st.APIID == apiID && st.Stage == stageName
		}
		if !here {
			continue
		}
		keys, err := all[planKey](rd, key(c, "plankey", p.ID))
		if err != nil {
			return false, err
		}
		for _, pk := range keys {
			k, err := load[apiKey](rd, key(c, "key", pk.ID))
			if err != nil {
				return false, err
			}
			if k != nil && k.Enabled && k.Value == value {
				return true, nil
			}
		}
	}
	return false, nil
}

type account struct {
	CloudwatchRoleArn string         `json:"cloudwatchRoleArn,omitempty"`
	ThrottleSettings  map[string]any `json:"throttleSettings"`
	Features          []string       `json:"features"`
	APIKeyVersion     string         `json:"apiKeyVersion"`
}

func getAccount(c *service.Context, rd store.Reader) (any, error) {
	a, err := load[account](rd, key(c, "account"))
	if err == nil && a == nil {
		a = &account{ThrottleSettings: map[string]any{"burstLimit": 5000, "rateLimit": 10000.0}, Features: []string{"UsagePlans"}, APIKeyVersion: "4"}
	}
	return a, err
}

func updateAccount(c *service.Context, tx store.Tx) (any, error) {
	var in keyInput
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	v, err := getAccount(c, tx)
	if err != nil {
		return nil, err
	}
	a := v.(*account)
	if err = patch("GetAccount", a, in.PatchOperations); err != nil {
		return nil, err
	}
	return a, save(tx, key(c, "account"), a)
}

type tagInput struct {
	ResourceARN string
	Tags        map[string]string
	TagKeys     []string
}

// tagged finds the tags of an ARN, arn:aws:apigateway:REGION::/restapis/ID, .../stages/NAME, /apikeys/ID or /usageplans/ID,
// and how to store them.
func tagged(c *service.Context, rd store.Reader) (*tagInput, *map[string]string, func(store.Tx) error, error) {
	in := new(tagInput)
	if err := service.Decode(c.Request, in); err != nil {
		return nil, nil, nil, err
	}
	arn, err := url.PathUnescape(in.ResourceARN)
	if err != nil {
		arn = in.ResourceARN
	}
	_, path, _ := strings.Cut(arn, "::/")
	part := strings.Split(path, "/")
	none := notFound("Invalid Resource identifier specified")
	switch {
	case len(part) == 2 && part[0] == "restapis":
		return bound(in, rd, key(c, "api", part[1]), func(r *apiRow) *map[string]string { return &r.API.Tags })
	case len(part) == 4 && part[0] == "restapis" && part[2] == "stages":
		return bound(in, rd, key(c, "stage", part[1], part[3]), func(r *stage) *map[string]string { return &r.Tags })
	case len(part) == 2 && part[0] == "apikeys":
		return bound(in, rd, key(c, "key", part[1]), func(r *apiKey) *map[string]string { return &r.Tags })
	case len(part) == 2 && part[0] == "usageplans":
		return bound(in, rd, key(c, "plan", part[1]), func(r *usagePlan) *map[string]string { return &r.Tags })
	}
	return nil, nil, nil, none
}

func bound[T any](in *tagInput, rd store.Reader, k store.Key, tags func(*T) *map[string]string) (*tagInput, *map[string]string, func(store.Tx) error, error) {
	row, err := load[T](rd, k)
	if err == nil && row == nil {
		err = notFound("Invalid Resource identifier specified")
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return in, tags(row), func(tx store.Tx) error { return save(tx, k, row) }, nil
}

func tagResource(c *service.Context, tx store.Tx) (any, error) {
	in, tags, put, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	if *tags == nil {
		*tags = map[string]string{}
	}
	maps.Copy(*tags, in.Tags)
	return nil, put(tx)
}

func untagResource(c *service.Context, tx store.Tx) (any, error) {
	in, tags, put, err := tagged(c, tx)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(*tags, k)
	}
	return nil, put(tx)
}

func getTags(c *service.Context, rd store.Reader) (any, error) {
	_, tags, _, err := tagged(c, rd)
	if err != nil {
		return nil, err
	}
	out := *tags
	if out == nil {
		out = map[string]string{}
	}
	return map[string]any{"tags": out}, nil
}
