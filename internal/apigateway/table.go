package apigateway

import "github.com/newel-run/newel/internal/service"

// Every row works on the partition that all APIs of the account and region share.
func (s *Service) table() []service.Operation {
	rows := []service.Operation{
		{Name: "CreateRestApi", Update: s.createRestAPI},
		{Name: "GetRestApis", View: getRestAPIs},
		{Name: "CreateApiKey", Update: createKey},
		{Name: "GetApiKey", View: getKey},
		{Name: "GetApiKeys", View: getKeys},
		{Name: "UpdateApiKey", Update: updateKey},
		{Name: "DeleteApiKey", Update: deleteKey},
		{Name: "CreateUsagePlan", Update: createPlan},
		{Name: "GetUsagePlan", View: getPlan},
		{Name: "GetUsagePlans", View: getPlans},
		{Name: "UpdateUsagePlan", Update: updatePlan},
		{Name: "DeleteUsagePlan", Update: deletePlan},
		{Name: "CreateUsagePlanKey", Update: createPlanKey},
		{Name: "GetUsagePlanKey", View: getPlanKey},
		{Name: "GetUsagePlanKeys", View: getPlanKeys},
		{Name: "DeleteUsagePlanKey", Update: deletePlanKey},
		{Name: "GetAccount", View: getAccount},
		{Name: "UpdateAccount", Update: updateAccount},
		{Name: "TagResource", Update: tagResource},
		{Name: "UntagResource", Update: untagResource},
		{Name: "GetTags", View: getTags},
		{Name: "ExecuteAPI", Do: s.executeAPI},
	}
	for name, fn := range map[string]func(e *edit) (any, error){
		"UpdateRestApi": updateRestAPI, "DeleteRestApi": s.deleteRestAPI,
		"CreateResource": createResource, "UpdateResource": updateResource, "DeleteResource": deleteResource,
		"PutMethod": putMethod, "UpdateMethod": updateMethod, "DeleteMethod": deleteMethod,
		"PutMethodResponse": putMethodResponse, "UpdateMethodResponse": updateMethodResponse, "DeleteMethodResponse": deleteMethodResponse,
		"PutIntegration": putIntegration, "UpdateIntegration": updateIntegration, "DeleteIntegration": deleteIntegration,
		"PutIntegrationResponse": putIntegrationResponse, "UpdateIntegrationResponse": updateIntegrationResponse, "DeleteIntegrationResponse": deleteIntegrationResponse,
		"CreateDeployment": createDeployment, "UpdateDeployment": updateDeployment, "DeleteDeployment": deleteDeployment,
		"CreateStage": createStage, "UpdateStage": updateStage, "DeleteStage": deleteStage,
		"CreateModel": createModel, "DeleteModel": deleteModel,
	} {
		rows = append(rows, service.Operation{Name: name, Update: s.change(fn)})
	}
	for name, fn := range map[string]func(e *edit) (any, error){
		"GetRestApi":  func(e *edit) (any, error) { return &e.API, nil },
		"GetResource": getResource, "GetResources": getResources, "GetMethod": getMethod, "GetMethodResponse": getMethodResponse,
		"GetIntegration": getIntegration, "GetIntegrationResponse": getIntegrationResponse, "GetDeployment": getDeployment,
		"GetDeployments": getDeployments, "GetStage": getStage, "GetStages": getStages, "GetModel": getModel, "GetModels": getModels,
	} {
		rows = append(rows, service.Operation{Name: name, View: s.read(fn)})
	}
	return rows
}
