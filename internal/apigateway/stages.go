package apigateway

import (
	"sort"

	"github.com/newel-run/newel/internal/store"
)

func createDeployment(e *edit) (any, error) {
	if len(e.in.CanarySettings) > 0 && string(e.in.CanarySettings) != "null" {
		return nil, badRequest("Newel does not support canary deployments.")
	}
	methods := 0
	var resources []*resource
	for _, r := range e.Resources {
		resources = append(resources, r)
		for _, m := range r.Methods {
			if methods++; m.Integration == nil {
				return nil, badRequest("No integration defined for method")
			}
		}
	}
	if methods == 0 {
		return nil, badRequest("The REST API doesn't contain any methods")
	}
	sort.Slice(resources, func(i, j int) bool { return resources[i].Path < resources[j].Path })
	d := &deployment{V: 1, ID: newID(6), Description: e.in.Description, CreatedDate: seconds(e.c), Snapshot: &snapshot{e.API, resources}}
	if err := save(e.tx, key(e.c, "deployment", e.API.ID, d.ID), d); err != nil {
		return nil, err
	}
	if name := e.in.StageName; name != "" {
		st, err := load[stage](e.tx, key(e.c, "stage", e.API.ID, name))
		if err != nil {
			return nil, err
		}
		if st == nil {
			st = e.newStage(name, e.in.StageDescription)
		}
		if e.in.Variables != nil {
			st.Variables = e.in.Variables
		}
		st.DeploymentID, st.LastUpdatedDate = d.ID, seconds(e.c)
		if err = save(e.tx, key(e.c, "stage", e.API.ID, name), st); err != nil {
			return nil, err
		}
	}
	return d.shown(), nil
}

func (d *deployment) shown() any {
	return map[string]any{"id": d.ID, "description": d.Description, "createdDate": d.CreatedDate}
}

func (e *edit) deployment(rd store.Reader) (*deployment, error) {
	d, err := load[deployment](rd, key(e.c, "deployment", e.API.ID, e.in.DeploymentID))
	if err == nil && d == nil {
		err = notFound("Invalid Deployment identifier specified")
	}
	return d, err
}

func getDeployment(e *edit) (any, error) {
	d, err := e.deployment(e.rd)
	if err != nil {
		return nil, err
	}
	return d.shown(), nil
}

func getDeployments(e *edit) (any, error) {
	list, err := all[deployment](e.rd, key(e.c, "deployment", e.API.ID))
	if err != nil {
		return nil, err
	}
	out := page(list, func(d *deployment) string { return d.ID }, e.in.Position, e.in.Limit)
	items := []any{}
	for _, d := range out["items"].([]*deployment) {
		items = append(items, d.shown())
	}
	out["items"] = items
	return out, nil
}

func updateDeployment(e *edit) (any, error) {
	d, err := e.deployment(e.tx)
	if err != nil {
		return nil, err
	}
	for _, op := range e.in.PatchOperations {
		if op.Path != "/description" {
			return nil, badRequest("Invalid patch path '%s' specified for op '%s'. Must be one of: [/description]", op.Path, op.Op)
		}
		d.Description = op.Value
	}
	return d.shown(), save(e.tx, key(e.c, "deployment", e.API.ID, d.ID), d)
}

func deleteDeployment(e *edit) (any, error) {
	d, err := e.deployment(e.tx)
	if err != nil {
		return nil, err
	}
	stages, err := all[stage](e.tx, key(e.c, "stage", e.API.ID))
	if err != nil {
		return nil, err
	}
	for _, st := range stages {
		if st.DeploymentID == d.ID {
			return nil, badRequest("Active stages pointing to this deployment must be moved or deleted")
		}
	}
	e.tx.Delete(key(e.c, "deployment", e.API.ID, d.ID))
	return nil, nil
}

func (e *edit) newStage(name, description string) *stage {
	return &stage{V: 1, StageName: name, Description: description, CacheClusterStatus: "NOT_AVAILABLE", MethodSettings: map[string]methodSetting{},
		CreatedDate: seconds(e.c), LastUpdatedDate: seconds(e.c)}
}

func createStage(e *edit) (any, error) {
	in := &e.in
	switch {
	case in.StageName == "":
		return nil, badRequest("Stage name should not be empty")
	case in.CacheClusterEnabled:
		return nil, badRequest("Newel does not support cache clusters.")
	case len(in.CanarySettings) > 0 && string(in.CanarySettings) != "null":
		return nil, badRequest("Newel does not support canary deployments.")
	}
	k := key(e.c, "stage", e.API.ID, in.StageName)
	old, err := load[stage](e.tx, k)
	if err != nil {
		return nil, err
	}
	if old != nil {
		return nil, conflict("Stage already exists")
	}
	if _, err = e.deployment(e.tx); err != nil {
		return nil, err
	}
	st := e.newStage(in.StageName, in.Description)
	st.DeploymentID, st.Variables, st.TracingEnabled, st.Tags = in.DeploymentID, in.Variables, in.TracingEnabled, in.Tags
	return st.shown(), save(e.tx, k, st)
}

func (st *stage) shown() any {
	out := *st
	out.V = 0
	return &out
}

func (e *edit) stage(rd store.Reader) (*stage, error) {
	st, err := load[stage](rd, key(e.c, "stage", e.API.ID, e.in.StageName))
	if err == nil && st == nil {
		err = notFound("Invalid stage identifier specified")
	}
	return st, err
}

func getStage(e *edit) (any, error) {
	st, err := e.stage(e.rd)
	if err != nil {
		return nil, err
	}
	return st.shown(), nil
}

func getStages(e *edit) (any, error) {
	list, err := all[stage](e.rd, key(e.c, "stage", e.API.ID))
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, st := range list {
		if e.in.DeploymentID == "" || st.DeploymentID == e.in.DeploymentID {
			items = append(items, st.shown())
		}
	}
	return map[string]any{"item": items}, nil
}

func updateStage(e *edit) (any, error) {
	st, err := e.stage(e.tx)
	if err != nil {
		return nil, err
	}
	if err = patch("GetStage", st, e.in.PatchOperations); err != nil {
		return nil, err
	}
	if st.CacheClusterEnabled {
		return nil, badRequest("Newel does not support cache clusters.")
	}
	e.in.DeploymentID = st.DeploymentID
	if _, err = e.deployment(e.tx); err != nil {
		return nil, err
	}
	st.V, st.LastUpdatedDate = 1, seconds(e.c)
	return st.shown(), save(e.tx, key(e.c, "stage", e.API.ID, st.StageName), st)
}

func deleteStage(e *edit) (any, error) {
	st, err := e.stage(e.tx)
	if err != nil {
		return nil, err
	}
	e.tx.Delete(key(e.c, "stage", e.API.ID, st.StageName))
	return nil, nil
}
