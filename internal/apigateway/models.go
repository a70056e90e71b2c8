package apigateway

// Models are kept for the tools that make them; nothing is validated against them.

func createModel(e *edit) (any, error) {
	if e.in.Name == "" {
		return nil, badRequest("Model name must be alphanumeric")
	}
	if e.Models[e.in.Name] != nil {
		return nil, conflict("Model name already exists for this REST API")
	}
	if e.Models == nil {
		e.Models = map[string]*model{}
	}
	m := &model{ID: newID(6), Name: e.in.Name, Description: e.in.Description, Schema: e.in.Schema, ContentType: e.in.ContentType}
	e.Models[m.Name] = m
	return m, nil
}

func (e *edit) model() (*model, error) {
	m := e.Models[e.in.ModelName]
	if m == nil {
		return nil, notFound("Invalid model name specified: %s", e.in.ModelName)
	}
	return m, nil
}

func getModel(e *edit) (any, error) { return e.model() }

func getModels(e *edit) (any, error) {
	list := []*model{}
	for _, m := range e.Models {
		list = append(list, m)
	}
	return map[string]any{"items": list}, nil
}

func deleteModel(e *edit) (any, error) {
	m, err := e.model()
	if err != nil {
		return nil, err
	}
	delete(e.Models, m.Name)
	return nil, nil
}
